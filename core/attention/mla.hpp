#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor/compute.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// Vectors, one for each row and head.
struct head_vectors {
  float* data = nullptr;
  size_t row_stride = 0;  ///< values
  size_t head_stride = 0; ///< values
};

size_t multiply_heads_scratch_floats(uint32_t k);

/// y = w x for each row and head, w: [heads] of [n, k], each head with its own
/// matrix: how multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024)
/// takes Q to the space of the latent vectors and its result back. In float32,
/// and what comes out depends on that row of x alone, bit for bit.
/// REQUIRES: c has multiply_heads_scratch_floats(k).
void multiply_heads(compute& c, std::span<const matrix_view> w, uint32_t rows,
                    const head_vectors& x, const head_vectors& y);

} // namespace troupe
