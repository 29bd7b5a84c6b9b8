#pragma once

#include <span>

#include "core/tensor/compute.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// One linear map applied to all rows of x: y = x w^T (+ bias) (+ y).
struct linear {
  matrix_view w;               ///< [n, k]
  const float* bias = nullptr; ///< [n] or null
  float* y = nullptr;          ///< [m, n]
  bool add = false;            ///< to what is in y
};

/// Scratch that matmul needs for matrices of up to `k` inputs.
size_t matmul_scratch_floats(uint32_t k);

/// Applies several linear maps to the same x: [m, k], on all threads at once.
/// What a row of y is depends on that row of x and the weights alone, bit for
/// bit. Weights are expanded a few rows at a time: in registers for a few rows
/// of x, otherwise once into scratch that stays in cache. A packed matrix is
/// multiplied as it is, by x rounded as c says.
/// REQUIRES: c has matmul_scratch_floats(k), and room to round x if a matrix
/// is packed; no y overlaps x.
void matmul(compute& c, const float* x, uint32_t m,
            std::span<const linear> maps);

} // namespace troupe
