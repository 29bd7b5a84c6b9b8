#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/kernels.hpp"
#include "core/tensor/large_array.hpp"
#include "core/tensor/pack.hpp"

namespace troupe {

/// Rows that are multiplied at a time stand together: at most so many.
inline constexpr uint32_t bf16_tile = 6;

/// Rows of activations, rounded to bfloat16: [m / height, k / 2, height, parts]
/// pairs of inputs, the first of a pair in the lower half, so that a tile of
/// rows is read from front to back. A pair beyond an odd k is a zero.
struct bf16_rows {
  uint32_t* data = nullptr;
  uint32_t inputs = 0; ///< k
  uint32_t height = 1; ///< rows of a tile, up to 6
  /// 1, or 2 for i16: x rounded, and what is left of x rounded.
  uint32_t parts = 1;
};

/// The memory of rounded rows.
class bf16_buffer {
public:
  /// For up to `rows` rows of up to `inputs` values.
  void assign(activation_type t, uint32_t rows, uint32_t inputs);

  /// REQUIRES: m and k are within what was assigned.
  bf16_rows rows(uint32_t m, uint32_t k) const;

private:
  uint32_t parts_ = 1;
  uint32_t rows_ = 0;
  uint32_t inputs_ = 0;
  large_array<uint32_t> data_;
};

/// Part of a product with a packed bf16 matrix:
/// y[m, n] = x[m, k] * w[n, k]^T (+ bias) (+ y), for whole panels.
struct bf16_block {
  const std::byte* panels = nullptr;
  const bf16_rows* x = nullptr;
  const float* bias = nullptr; ///< [n] or null
  float* y = nullptr;          ///< [m, n]
  size_t y_stride = 0;         ///< values
  uint32_t m = 0;
  uint32_t n = 0; ///< the last panel may have less than 32
  bool add = false;
};

/// The loops over packed bf16 matrices. Both forms give the same bits, but for
/// the payload of a NaN and for results next to the least normal float, which
/// one of them may take for zero: bf16_impl.hpp has the order of each sum.
struct bf16_kernels {
  const char* name;

  /// Rounds row `row` of x: [m, k].
  void (*round)(const float* x, uint32_t row, const bf16_rows& to);

  void (*multiply)(const bf16_block& block);
};

enum class bf16_instruction_set { portable, avx512_bf16 };

/// Null where this processor lacks the instructions.
const bf16_kernels* bf16_kernels_for(bf16_instruction_set set);

/// Whether bf16 weights are worth packing: this processor has instructions for
/// them. Without these, expanding weights to float32 is faster.
bool multiplies_bf16();

/// The fastest form that asks for no more than `like` does, or for dot
/// products of bf16 besides.
const bf16_kernels& bf16_kernels_like(const kernels& like);

} // namespace troupe
