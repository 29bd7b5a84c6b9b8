#pragma once

#include <span>

#include "core/tensor/kernels.hpp"
#include "core/tensor/matrix.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

/// One product of several that share their input.
struct product_into {
  const matrix_view* weights = nullptr; ///< [n, k]
  float* out = nullptr;                 ///< [m, n], rows `stride` apart
  size_t stride = 0;
};

/// out = x * weights^T for each of `products`; x: [m, k], rows `x_stride`
/// apart. An output depends on its row of x and of the weights alone, bit for
/// bit: not on m, the other rows, the threads, or the instruction set.
void matmul(const kernels& with, thread_pool& threads,
            std::span<const product_into> products, const float* x,
            size_t x_stride, uint32_t m);

} // namespace troupe
