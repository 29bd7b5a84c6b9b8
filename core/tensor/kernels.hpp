#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// Part of a matrix product: y[m, n] = x[m, k] * w[n, k]^T (+ bias) (+ y).
struct matmul_block {
  dtype type = dtype::f32;
  const std::byte* w = nullptr; ///< [n, k], encoded as `type`
  size_t w_stride = 0;          ///< bytes from one row of w to the next
  const float* x = nullptr;     ///< [m, k]
  size_t x_stride = 0;          ///< values
  const float* bias = nullptr;  ///< [n] or null
  float* y = nullptr;           ///< [m, n]
  size_t y_stride = 0;          ///< values
  uint32_t m = 0;
  uint32_t n = 0;
  uint32_t k = 0;
  bool add = false; ///< to what is in y
};

/// The loops that have a form for each instruction set. All forms give the
/// same bits: every sum has one order, spelled out in kernels_impl.hpp, which
/// does not depend on the shape of a tile either.
struct kernels {
  const char* name;

  /// As dequantize_row.
  void (*dequantize)(dtype t, const std::byte* row, uint32_t n, float* out);

  void (*multiply)(const matmul_block& block);

  /// gate[i] = silu(gate[i]) * up[i]; silu(x) = x / (1 + e^-x).
  void (*swiglu)(float* gate, const float* up, size_t n);

  /// The same with gelu(x) = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.
  void (*geglu)(float* gate, const float* up, size_t n);

  /// x[i] = cap * tanh(x[i] / cap).
  void (*softcap)(float* x, float cap, size_t n);

  /// Rounds to float16, to nearest even.
  void (*to_f16)(const float* in, uint32_t n, std::byte* out);
};

enum class instruction_set { portable, avx2, avx512 };

/// Null where this processor lacks the instructions.
const kernels* kernels_for(instruction_set set);

/// The fastest form this processor can run.
const kernels& best_kernels();

} // namespace troupe
