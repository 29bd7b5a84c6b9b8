#pragma once

#include <cstddef>
#include <vector>

#include "core/tensor/bf16.hpp"
#include "core/tensor/int8.hpp"
#include "core/tensor/kernels.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

/// What the tensor operations of one engine run on: threads, the kernels for
/// this processor, scratch memory for each thread, and room for rounded
/// activations.
class compute {
public:
  /// Makes room to round `rows` rows of up to `inputs` values to `t`, for
  /// products with packed matrices.
  compute(unsigned threads, const kernels& fast, size_t scratch_floats,
          activation_type t = activation_type::f32, uint32_t rows = 0,
          uint32_t inputs = 0)
      : pool(threads), fast(fast), int8(int8_kernels_like(fast)),
        bf16(bf16_kernels_like(fast)), scratch_floats_(scratch_floats) {
    for (auto i = 0u; i < pool.size(); ++i)
      scratch_.push_back(make_large_array<float>(scratch_floats));
    if (t != activation_type::f32) {
      rounded_.assign(t, rows, inputs);
      rounded_bf16_.assign(t, rows, inputs);
    }
  }

  thread_pool pool;
  const kernels& fast;
  const int8_kernels& int8;
  const bf16_kernels& bf16;

  /// Of the thread that runs a task; nothing in it outlives the task.
  float* scratch(unsigned worker) const { return scratch_[worker].get(); }
  size_t scratch_floats() const { return scratch_floats_; }

  /// Not initialised, for m rows of k values.
  quantised_rows rounded(uint32_t m, uint32_t k) const {
    return rounded_.rows(m, k);
  }
  bf16_rows rounded_bf16(uint32_t m, uint32_t k) const {
    return rounded_bf16_.rows(m, k);
  }

private:
  size_t scratch_floats_;
  std::vector<large_array<float>> scratch_;
  quantised_buffer rounded_;
  bf16_buffer rounded_bf16_;
};

} // namespace troupe
