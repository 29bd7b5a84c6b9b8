#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/kernels.hpp"
#include "core/tensor/large_array.hpp"
#include "core/tensor/pack.hpp"

namespace troupe {

/// 32 values of a row, quantised: x = scale * (256 * high + low).
struct quantised_group {
  float scale;
  /// What the unsigned weights of a q8_0 and a q4_0 matrix add to a dot product
  /// too much, negated.
  int32_t start[2];
  /// The sum of the first 16 values, times -32.
  int32_t first;
  int8_t low[32];
};
struct wide_quantised_group : quantised_group {
  int8_t high[32];
};

/// Rows that are multiplied at a time stand together: at most so many.
inline constexpr uint32_t quantised_tile = 6;

/// Rows of activations, quantised: [m / height, k / 32, height] groups, so that
/// a tile of rows is read from front to back. i16 has wide groups.
struct quantised_rows {
  std::byte* data = nullptr;
  uint32_t groups = 0; ///< k / 32
  uint32_t height = 1; ///< rows of a tile, up to 6
  bool wide = false;   ///< i16

  size_t group_bytes() const {
    return wide ? sizeof(wide_quantised_group) : sizeof(quantised_group);
  }
  std::byte* group(uint32_t row, uint32_t g) const {
    auto tile = size_t{row / height};
    return data + ((tile * groups + g) * height + row % height) * group_bytes();
  }
};

/// The memory of quantised rows.
class quantised_buffer {
public:
  /// For up to `rows` rows of up to `inputs` values.
  void assign(activation_type t, uint32_t rows, uint32_t inputs);

  /// REQUIRES: m and k are within what was assigned, k % 32 == 0.
  quantised_rows rows(uint32_t m, uint32_t k) const;

private:
  bool wide_ = false;
  uint32_t rows_ = 0;
  uint32_t inputs_ = 0;
  large_array<std::byte> data_;
};

/// Part of a product with a packed matrix:
/// y[m, n] = x[m, k] * w[n, k]^T (+ bias) (+ y), for whole panels.
struct int8_block {
  dtype type = dtype::q8_0;
  const std::byte* panels = nullptr;
  const quantised_rows* x = nullptr;
  const float* bias = nullptr; ///< [n] or null
  float* y = nullptr;          ///< [m, n]
  size_t y_stride = 0;         ///< values
  uint32_t m = 0;
  uint32_t n = 0; ///< the last panel may have less than 32
  bool add = false;
};

/// The loops over packed matrices. All forms give the same bits: within a
/// group of 32 inputs sums are of integers, and exact; over the groups they
/// are added in order by fused multiply-add, onto what y starts with.
struct int8_kernels {
  const char* name;

  /// Quantises row `row` of x: [m, k].
  void (*quantise)(const float* x, uint32_t row, const quantised_rows& to);

  void (*multiply)(const int8_block& block);
};

enum class int8_instruction_set { portable, avx2, avx_vnni, avx512_vnni };

/// Null where this processor lacks the instructions.
const int8_kernels* int8_kernels_for(int8_instruction_set set);

/// The fastest form that asks for no more than `like` does, or for dot
/// products of bytes besides.
const int8_kernels& int8_kernels_like(const kernels& like);

} // namespace troupe
