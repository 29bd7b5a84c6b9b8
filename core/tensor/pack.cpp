#include "core/tensor/pack.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "core/tensor/bf16.hpp"
#include "core/tensor/pack_block.hpp"

namespace troupe {

bool packed_matrix::supports(dtype t) {
  return t == dtype::bf16 || packer_of(t) != nullptr;
}

bool is_worth_packing(dtype t) {
  return packed_matrix::supports(t) && (t != dtype::bf16 || multiplies_bf16());
}

size_t packed_matrix::block_bytes(dtype t) {
  auto of_output = troupe::block_bytes(t);
  if (t == dtype::q4_k || t == dtype::q5_k)
    of_output += 4; // sixteen times 6 bits become bytes
  return size_t{panel_outputs} * of_output;
}

packed_matrix packed_matrix::room_for(const matrix_view& w) {
  assert(supports(w.type));
  auto p = packed_matrix{};
  p.type_ = w.type;
  p.rows_ = w.rows;
  p.cols_ = w.cols;
  p.data_ = make_large_array<std::byte>(p.bytes());
  return p;
}

packed_matrix::packed_matrix(const matrix_view& w) {
  *this = room_for(w);
  fill(w, 0, panels());
}

void packed_matrix::fill(const matrix_view& w, uint32_t first, uint32_t last) {
  auto* pack = packer_of(type_);
  auto step = troupe::block_bytes(type_);
  auto stride = block_bytes(type_);
  auto blocks = size_t{cols_} / block_values(type_);
  if (type_ == dtype::bf16) {
    for (auto p = first; p < last; ++p)
      fill_pairs(w, p);
    return;
  }
  for (auto p = first; p < last; ++p) {
    auto* to = data_.get() + p * panel_bytes();
    auto outputs = std::min(panel_outputs, rows_ - p * panel_outputs);
    if (outputs < panel_outputs)
      std::memset(to, 0, panel_bytes());
    for (auto o = 0u; o < outputs; ++o) {
      auto* from = w.row(p * panel_outputs + o);
      for (auto b = size_t{0}; b < blocks; ++b)
        pack(from + b * step, o, to + b * stride);
    }
  }
}

void packed_matrix::fill_pairs(const matrix_view& w, uint32_t panel) {
  auto* to = data_.get() + panel * panel_bytes();
  auto outputs = std::min(panel_outputs, rows_ - panel * panel_outputs);
  for (auto i = uint32_t{0}; i < cols_; i += 2) {
    auto bytes = std::min(cols_ - i, 2u) * size_t{2};
    for (auto o = uint32_t{0}; o < panel_outputs; ++o, to += 4) {
      if (o >= outputs || bytes < 4)
        std::memset(to, 0, 4);
      if (o < outputs)
        std::memcpy(to, w.row(panel * panel_outputs + o) + i * size_t{2},
                    bytes);
    }
  }
}

} // namespace troupe
