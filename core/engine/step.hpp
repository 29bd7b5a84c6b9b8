#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/attention/dense.hpp"
#include "core/base/ids.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/large_array.hpp"

namespace troupe {

/// The rows of a step, a token each, as its layers see them.
struct step_rows {
  std::vector<token_id> ids;
  std::vector<uint32_t> positions;
  std::vector<attention_rows> sequences;
  std::vector<uint32_t> wanted; ///< rows whose logits are returned
  std::vector<uint32_t> pooled; ///< rows whose states are

  uint32_t tokens() const { return static_cast<uint32_t>(ids.size()); }
};

/// Work on so few rows is done by the caller: waking a thread costs more.
inline constexpr uint32_t rows_of_task = 8;

/// Calls fn(row, worker) for each of `rows` rows, on all threads if it is worth
/// it.
template <class F>
void for_rows(compute& c, uint32_t rows, F fn) {
  auto tasks = (rows + rows_of_task - 1) / rows_of_task;
  c.pool.run(tasks, [&](uint32_t task, unsigned worker) {
    auto end = std::min((task + 1) * rows_of_task, rows);
    for (auto row = task * rows_of_task; row < end; ++row)
      fn(row, worker);
  });
}

/// [rows, width] floats, not initialised, so that what a model never uses never
/// becomes resident.
class row_buffer {
public:
  row_buffer(uint32_t rows, size_t width)
      : width_(width), data_(make_large_array<float>(rows * width)) {}
  float* row(uint32_t r) const { return data_.get() + r * width_; }
  operator float*() const { return data_.get(); }
  size_t width() const { return width_; }

private:
  size_t width_;
  large_array<float> data_;
};

} // namespace troupe
