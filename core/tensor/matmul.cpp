#include "core/tensor/matmul.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

namespace {

// Up to this many rows are one tile of the kernels, which then expand each
// weight once, in registers.
constexpr uint32_t rows_in_registers = 4;

// A panel of expanded weights: within L2 beside the activations that pass by.
constexpr size_t panel_floats = 32 * 1024;
constexpr uint32_t panel_outputs = 32;

// Weights of a task when there are few rows: some microseconds of work.
constexpr uint32_t task_weights = 16 * 1024;

constexpr uint32_t round_down_4(uint32_t n) {
  return n < 4 ? 4 : n / 4 * 4;
}

// Rows of a panel do not start at the same offset of a page: they would
// compete for the same cache sets.
size_t panel_stride(uint32_t k) {
  return (size_t{k} + 15) / 16 * 16 + 16;
}

uint32_t outputs_of_panel(uint32_t k) {
  auto fit = static_cast<uint32_t>(panel_floats / panel_stride(k));
  return std::min(round_down_4(fit), panel_outputs);
}

uint32_t outputs_of_task(uint32_t m, uint32_t k) {
  return m <= rows_in_registers ? round_down_4(task_weights / std::max(k, 1u))
                                : outputs_of_panel(k);
}

} // namespace

size_t matmul_scratch_floats(uint32_t k) {
  return outputs_of_panel(k) * panel_stride(k);
}

void matmul(compute& c, const float* x, uint32_t m,
            std::span<const linear> maps) {
  if (m == 0)
    return;
  auto tasks_of = [m](const matrix_view& w) {
    auto outputs = outputs_of_task(m, w.cols);
    return (w.rows + outputs - 1) / outputs;
  };
  auto tasks = uint32_t{0};
  for (auto& map : maps) {
    assert(map.w.cols == maps[0].w.cols);
    tasks += tasks_of(map.w);
  }
  c.pool.run(tasks, [&](uint32_t task, unsigned worker) {
    auto* map = maps.data();
    for (auto n = tasks_of(map->w); task >= n; n = tasks_of(map->w)) {
      task -= n;
      ++map;
    }
    auto& w = map->w;
    auto outputs = outputs_of_task(m, w.cols);
    auto first = task * outputs;
    auto block = matmul_block{};
    block.type = w.type;
    block.w = w.row(first);
    block.w_stride = w.row_bytes();
    block.x = x;
    block.x_stride = w.cols;
    block.bias = map->bias == nullptr ? nullptr : map->bias + first;
    block.y = map->y + first;
    block.y_stride = w.rows;
    block.m = m;
    block.n = std::min(outputs, w.rows - first);
    block.k = w.cols;
    block.add = map->add;
    if (m > rows_in_registers) {
      auto stride = panel_stride(w.cols);
      auto* panel = c.scratch(worker);
      for (auto i = uint32_t{0}; i < block.n; ++i)
        c.fast.dequantize(w.type, w.row(first + i), w.cols, panel + i * stride);
      block.type = dtype::f32;
      block.w = reinterpret_cast<const std::byte*>(panel);
      block.w_stride = stride * sizeof(float);
    }
    c.fast.multiply(block);
  });
}

} // namespace troupe
