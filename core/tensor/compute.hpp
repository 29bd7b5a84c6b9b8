#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/tensor/kernels.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

/// What the tensor operations of one engine run on: threads, the kernels for
/// this processor, and scratch memory for each thread.
class compute {
public:
  compute(unsigned threads, const kernels& fast, size_t scratch_floats)
      : pool(threads), fast(fast), scratch_floats_(scratch_floats) {
    for (auto i = 0u; i < pool.size(); ++i)
      scratch_.push_back(
          std::make_unique_for_overwrite<float[]>(scratch_floats));
  }

  thread_pool pool;
  const kernels& fast;

  /// Of the thread that runs a task; nothing in it outlives the task.
  float* scratch(unsigned worker) const { return scratch_[worker].get(); }
  size_t scratch_floats() const { return scratch_floats_; }

private:
  size_t scratch_floats_;
  std::vector<std::unique_ptr<float[]>> scratch_;
};

} // namespace troupe
