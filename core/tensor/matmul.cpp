#include "core/tensor/matmul.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

namespace {

// Up to this many rows are one tile of the kernels, which then expand each
// weight once, in registers.
constexpr uint32_t rows_in_registers = 4;

// A block of expanded weights: within L2 beside the activations that pass by.
constexpr size_t panel_floats = 32 * 1024;
constexpr uint32_t expanded_outputs = 32;

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
  return std::min(round_down_4(fit), expanded_outputs);
}

uint32_t outputs_of_task(uint32_t m, uint32_t k) {
  return m <= rows_in_registers ? round_down_4(task_weights / std::max(k, 1u))
                                : outputs_of_panel(k);
}

// Bytes of packed weights of a task: long enough for the processor to see a
// stream, and within L2 beside the activations that pass by.
constexpr size_t task_bytes = 256 * 1024;
// Otherwise threads would not end together.
constexpr uint32_t tasks_of_thread = 4;

// Values that one thread rounds faster than it wakes another.
constexpr size_t round_alone = 16 * 1024;

uint32_t panels_of_task(const packed_matrix& w, unsigned threads) {
  auto most =
      static_cast<uint32_t>(task_bytes / std::max(w.panel_bytes(), size_t{1}));
  return std::clamp(w.panels() / (tasks_of_thread * threads), 1u,
                    std::max(most, 1u));
}

// Rounds x by `one`, row by row, into `rows`.
template <class Rows, class F>
void round_rows(compute& c, uint32_t m, uint32_t k, const Rows& rows, F one) {
  // Rows of a tile share cache lines.
  auto tiles = (m + rows.height - 1) / rows.height;
  auto tile = [&](uint32_t t, unsigned) {
    auto end = std::min((t + 1) * rows.height, m);
    for (auto row = t * rows.height; row < end; ++row)
      one(row);
  };
  if (size_t{m} * k <= round_alone)
    for (auto t = uint32_t{0}; t < tiles; ++t)
      tile(t, 0);
  else
    c.pool.run(tiles, tile);
}

/// x as the packed matrices of a call meet it.
struct rounded_rows {
  quantised_rows quantised;
  bf16_rows bf16;
};

rounded_rows round(compute& c, const float* x, uint32_t m,
                   std::span<const linear> maps) {
  auto k = maps.empty() ? 0 : maps[0].w.cols;
  auto any = [maps](auto wanted) {
    return std::any_of(maps.begin(), maps.end(), [wanted](const linear& map) {
      return map.w.packed != nullptr && wanted(map.w.packed->type());
    });
  };
  auto rows = rounded_rows{};
  if (any([](dtype t) { return t != dtype::bf16; })) {
    rows.quantised = c.rounded(m, k);
    round_rows(c, m, k, rows.quantised,
               [&](uint32_t row) { c.int8.quantise(x, row, rows.quantised); });
  }
  if (any([](dtype t) { return t == dtype::bf16; })) {
    rows.bf16 = c.rounded_bf16(m, k);
    round_rows(c, m, k, rows.bf16,
               [&](uint32_t row) { c.bf16.round(x, row, rows.bf16); });
  }
  return rows;
}

void multiply_packed(const compute& c, const linear& map, const rounded_rows& x,
                     uint32_t m, uint32_t task) {
  auto& w = *map.w.packed;
  auto panels = panels_of_task(w, c.pool.size());
  auto first = task * panels * panel_outputs;
  auto fill = [&](auto block) {
    block.panels = w.panel(task * panels);
    block.bias = map.bias == nullptr ? nullptr : map.bias + first;
    block.y = map.y + first;
    block.y_stride = w.rows();
    block.m = m;
    block.n = std::min(panels * panel_outputs, w.rows() - first);
    block.add = map.add;
    return block;
  };
  if (w.type() == dtype::bf16) {
    auto block = fill(bf16_block{});
    block.x = &x.bf16;
    return c.bf16.multiply(block);
  }
  auto block = fill(int8_block{});
  block.type = w.type();
  block.x = &x.quantised;
  c.int8.multiply(block);
}

} // namespace

size_t matmul_scratch_floats(uint32_t k) {
  // Narrower matrices have more outputs in a panel, and may need more.
  auto stride = panel_stride(k);
  return std::min(expanded_outputs * stride,
                  std::max(panel_floats, 4 * stride));
}

void matmul(compute& c, const float* x, uint32_t m,
            std::span<const linear> maps) {
  if (m == 0)
    return;
  auto tasks_of = [&c, m](const matrix_view& w) {
    if (w.packed != nullptr) {
      auto panels = panels_of_task(*w.packed, c.pool.size());
      return (w.packed->panels() + panels - 1) / panels;
    }
    auto outputs = outputs_of_task(m, w.cols);
    return (w.rows + outputs - 1) / outputs;
  };
  auto tasks = uint32_t{0};
  for (auto& map : maps) {
    assert(map.w.cols == maps[0].w.cols);
    tasks += tasks_of(map.w);
  }
  auto rounded = round(c, x, m, maps);
  c.pool.run(tasks, [&](uint32_t task, unsigned worker) {
    auto* map = maps.data();
    for (auto n = tasks_of(map->w); task >= n; n = tasks_of(map->w)) {
      task -= n;
      ++map;
    }
    if (map->w.packed != nullptr)
      return multiply_packed(c, *map, rounded, m, task);
    auto& w = map->w;
    auto outputs = outputs_of_task(m, w.cols);
    auto first = task * outputs;
    auto block = matmul_block{};
    block.type = w.type;
    block.w = w.row(first);
    block.w_stride = w.stride();
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
