#include "core/tensor/matmul.hpp"

#include <algorithm>
#include <vector>

namespace troupe {

namespace {

// Outputs of one task: enough to hide the claim, few enough to share well.
constexpr uint32_t panel = 16;
// Up to this many rows, decoding weights in registers beats a decoded panel.
constexpr uint32_t few_rows = 4;

// A decoded panel of this thread; grows to the widest matrix and stays.
float* panel_memory(size_t values) {
  thread_local std::vector<float> memory;
  if (memory.size() < values)
    memory.resize(values);
  return memory.data();
}

void compute_panel(const kernels& with, const product_into& p, uint32_t first,
                   const float* x, size_t x_stride, uint32_t m) {
  auto& w = *p.weights;
  auto n = std::min(panel, w.rows - first);
  auto* out = p.out + first;
  if (m <= few_rows) {
    with.product_few(w.type, w.row(first), w.row_bytes(), n, w.cols, x,
                     x_stride, m, out, p.stride);
    return;
  }
  auto* decoded = panel_memory(size_t{panel} * w.cols);
  for (uint32_t j = 0; j < n; ++j)
    with.expand(w.type, w.row(first + j), w.cols, decoded + j * w.cols);
  with.product(decoded, w.cols, n, w.cols, x, x_stride, m, out, p.stride);
}

} // namespace

void matmul(const kernels& with, thread_pool& threads,
            std::span<const product_into> products, const float* x,
            size_t x_stride, uint32_t m) {
  if (m == 0)
    return;
  auto panels = [](const product_into& p) {
    return (p.weights->rows + panel - 1) / panel;
  };
  uint32_t tasks = 0;
  for (auto& p : products)
    tasks += panels(p);
  threads.run(tasks, [&](uint32_t task) {
    for (auto& p : products) {
      if (task < panels(p))
        return compute_panel(with, p, task * panel, x, x_stride, m);
      task -= panels(p);
    }
  });
}

} // namespace troupe
