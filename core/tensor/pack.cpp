#include "core/tensor/pack.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include "core/base/bytes.hpp"

namespace troupe {

namespace {

constexpr auto scale_bytes = size_t{panel_outputs} * 2;

// Large matrices go to large pages: a step reads each of them once, and would
// otherwise wait for the page table again and again.
constexpr auto large_page = size_t{2} << 20;
constexpr auto cache_line = size_t{64};

void store_four(uint32_t four, std::byte* to) {
  std::memcpy(to, &four, sizeof(four));
}

// Writes output `o` of a group, from the block of 32 weights that holds it.
void pack_q8_0(const std::byte* block, uint32_t o, std::byte* group) {
  std::memcpy(group + size_t{2} * o, block, 2);
  auto* to = group + scale_bytes + size_t{4} * o;
  for (auto i = 0u; i < 8; ++i)
    store_four(load_unaligned<uint32_t>(block + 2 + 4 * i) ^ 0x80808080u,
               to + i * 4 * panel_outputs); // + 128
}

// A block's byte i holds input i in its low nibble and 16 + i in its high one.
void pack_q4_0(const std::byte* block, uint32_t o, std::byte* group) {
  std::memcpy(group + size_t{2} * o, block, 2);
  auto four = [block](uint32_t i) {
    auto both = load_unaligned<uint32_t>(block + 2 + 4 * (i % 4));
    return both >> (i < 4 ? 0 : 4) & 0x0f0f0f0fu;
  };
  auto* to = group + scale_bytes + size_t{4} * o;
  for (auto i = 0u; i < 4; ++i)
    store_four(four(2 * i) | four(2 * i + 1) << 4, to + i * 4 * panel_outputs);
}

} // namespace

void packed_matrix::release::operator()(std::byte* p) const {
  std::free(p);
}

bool packed_matrix::supports(dtype t) {
  return t == dtype::q8_0 || t == dtype::q4_0;
}

size_t packed_matrix::group_bytes(dtype t) {
  return scale_bytes + (t == dtype::q8_0 ? 1024 : 512);
}

packed_matrix packed_matrix::room_for(const matrix_view& w) {
  assert(supports(w.type));
  auto p = packed_matrix{};
  p.type_ = w.type;
  p.rows_ = w.rows;
  p.cols_ = w.cols;
  auto size = p.bytes();
  auto aligned = size >= large_page ? large_page : cache_line;
  auto rounded = std::max((size + aligned - 1) / aligned * aligned, aligned);
  p.data_.reset(static_cast<std::byte*>(std::aligned_alloc(aligned, rounded)));
  if (!p.data_)
    throw std::bad_alloc{};
  if (aligned == large_page)
    ::madvise(p.data_.get(), rounded, MADV_HUGEPAGE);
  return p;
}

packed_matrix::packed_matrix(const matrix_view& w) {
  *this = room_for(w);
  fill(w, 0, panels());
}

void packed_matrix::fill(const matrix_view& w, uint32_t first, uint32_t last) {
  auto* pack = type_ == dtype::q8_0 ? pack_q8_0 : pack_q4_0;
  auto step = block_bytes(type_);
  auto stride = group_bytes(type_);
  for (auto p = first; p < last; ++p) {
    auto* to = data_.get() + p * panel_bytes();
    auto outputs = std::min(panel_outputs, rows_ - p * panel_outputs);
    if (outputs < panel_outputs)
      std::memset(to, 0, panel_bytes());
    for (auto o = 0u; o < outputs; ++o) {
      auto* from = w.row(p * panel_outputs + o);
      for (auto g = size_t{0}; g < cols_ / group_inputs; ++g)
        pack(from + g * step, o, to + g * stride);
    }
  }
}

} // namespace troupe
