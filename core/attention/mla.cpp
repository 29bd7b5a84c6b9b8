#include "core/attention/mla.hpp"

#include <algorithm>

namespace troupe {

namespace {

// Outputs of a task, and of a part of it whose weights are expanded together.
constexpr uint32_t outputs_of_task = 128;
constexpr uint32_t outputs_expanded = 32;

// Up to this many rows are one tile of the kernels, which then expand each
// weight once, in registers.
constexpr uint32_t rows_in_registers = 4;

// Rows of expanded weights do not start at the same offset of a page.
size_t expanded_stride(uint32_t k) {
  return (size_t{k} + 15) / 16 * 16 + 16;
}

} // namespace

size_t multiply_heads_scratch_floats(uint32_t k) {
  return outputs_expanded * expanded_stride(k);
}

void multiply_heads(compute& c, std::span<const matrix_view> w, uint32_t rows,
                    const head_vectors& x, const head_vectors& y) {
  if (rows == 0 || w.empty())
    return;
  auto type = w[0].type;
  auto n = w[0].rows;
  auto k = w[0].cols;
  auto tasks = (n + outputs_of_task - 1) / outputs_of_task;
  auto expanded = rows > rows_in_registers && type != dtype::f32;
  auto multiply = [&](uint32_t task, unsigned worker) {
    auto head = task / tasks;
    auto& m = w[head];
    auto end = std::min((task % tasks + 1) * outputs_of_task, n);
    auto block = matmul_block{};
    block.x = x.data + head * x.head_stride;
    block.x_stride = x.row_stride;
    block.y_stride = y.row_stride;
    block.m = rows;
    block.k = k;
    for (auto i = task % tasks * outputs_of_task; i < end;
         i += outputs_expanded) {
      block.n = std::min(outputs_expanded, end - i);
      block.y = y.data + head * y.head_stride + i;
      block.type = m.type;
      block.w = m.row(i);
      block.w_stride = m.stride();
      if (expanded) {
        auto stride = expanded_stride(k);
        auto* panel = c.scratch(worker);
        for (auto j = uint32_t{0}; j < block.n; ++j)
          c.fast.dequantize(m.type, m.row(i + j), k, panel + j * stride);
        block.type = dtype::f32;
        block.w = reinterpret_cast<const std::byte*>(panel);
        block.w_stride = stride * sizeof(float);
      }
      c.fast.multiply(block);
    }
  };
  c.pool.run(static_cast<uint32_t>(w.size()) * tasks, multiply);
}

} // namespace troupe
