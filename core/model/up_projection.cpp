#include "core/model/up_projection.hpp"

#include <cstring>

#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

matrix_view rows_of(const matrix_view& all, uint32_t first, uint32_t n) {
  return {all.type, n, all.cols, all.row(first)};
}

// Writes m's transpose to `to`, in the type given.
void transpose(const matrix_view& m, dtype type, std::byte* to) {
  auto size = block_bytes(type);
  auto expanded = std::vector<float>(m.type == type ? 0 : m.cols);
  for (auto r = uint32_t{0}; r < m.rows; ++r) {
    auto* from = m.row(r);
    if (m.type != type) {
      dequantize_row(m.type, from, m.cols, expanded.data());
      from = reinterpret_cast<const std::byte*>(expanded.data());
    }
    for (auto c = size_t{0}; c < m.cols; ++c)
      std::memcpy(to + (c * m.rows + r) * size, from + c * size, size);
  }
}

} // namespace

void split_up_projection(const hparams& p, const matrix_view& kv_b,
                         model_weights& w, layer_weights& layer) {
  auto plain = p.head_dim - p.rope_dim;
  auto of_head = plain + p.values_of_head();
  auto type = block_values(kv_b.type) == 1 ? kv_b.type : dtype::f32;
  auto one = size_t{plain} * kv_b.cols * block_bytes(type);
  auto bytes = std::make_shared<std::vector<std::byte>>(p.heads * one);
  for (auto h = uint32_t{0}; h < p.heads; ++h) {
    auto* to = bytes->data() + h * one;
    transpose(rows_of(kv_b, h * of_head, plain), type, to);
    layer.wk_b.push_back({type, kv_b.cols, plain, to});
    layer.wv_b.push_back(
        rows_of(kv_b, h * of_head + plain, p.values_of_head()));
  }
  w.made.push_back(std::move(bytes));
}

} // namespace troupe
