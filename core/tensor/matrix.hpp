#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe {

/// How the numbers of a stored tensor are encoded. The values are those of
/// GGUF's tensor types.
enum class dtype : uint32_t {
  f32 = 0,
  f16 = 1,
  /// 32 values in 18 bytes: float16 scale, 32 nibbles; x = d * (q - 8).
  q4_0 = 2,
  /// 32 values in 20 bytes: float16 scale and minimum, 32 nibbles;
  /// x = d * q + m.
  q4_1 = 3,
  /// 32 values in 22 bytes: float16 scale, the fifth bits, 32 nibbles;
  /// x = d * (q - 16).
  q5_0 = 6,
  /// 32 values in 24 bytes: float16 scale and minimum, the fifth bits, 32
  /// nibbles; x = d * q + m.
  q5_1 = 7,
  /// 32 values in 34 bytes: float16 scale, 32 int8; x = d * q.
  q8_0 = 8,
  /// 256 values in 144 bytes: float16 d and e; for each 32 values a scale s
  /// and a minimum m of 6 bits; 256 nibbles; x = d * s * q - e * m.
  q4_k = 12,
  /// 256 values in 176 bytes: as q4_k with a fifth bit for each value.
  q5_k = 13,
  /// 256 values in 210 bytes: 256 values of 6 bits; for each 16 of them a
  /// scale s of 8 bits; float16 d; x = d * s * (q - 32).
  q6_k = 14,
  bf16 = 30,
};

/// "f32", "q8_0", …
std::string_view to_string(dtype t);

/// Values that share one encoded block: 1, 32 or 256.
uint32_t block_values(dtype t);

/// Bytes of one encoded block.
uint32_t block_bytes(dtype t);

/// What the inputs of a product with a packed matrix are rounded to, each row
/// and group of 32 inputs with its own scale; if the matrix is bf16, to one
/// bfloat16 (i8) or the sum of two (i16).
enum class activation_type : uint8_t {
  /// Nothing: packed matrices are not used.
  f32,
  /// 16 bits, as two bytes: twice the multiplications of i8, which is nothing
  /// where memory is what limits, and as good as float32.
  i16,
  /// 8 bits.
  i8,
};

class packed_matrix;

/// A weight matrix as it lies in the model file; does not own its bytes.
/// Row r holds the weights of output r, `cols` values long.
struct matrix_view {
  dtype type = dtype::f32;
  uint32_t rows = 0;               ///< outputs
  uint32_t cols = 0;               ///< inputs; a multiple of block_values(type)
  const std::byte* data = nullptr; ///< [rows, stride()]
  /// The same matrix rearranged for products, or null; then `data` is only
  /// read for single rows.
  const packed_matrix* packed = nullptr;
  /// Bytes from row to row where these are some columns of a wider matrix; 0:
  /// row_bytes().
  size_t row_stride = 0;

  size_t row_bytes() const {
    return size_t{cols} / block_values(type) * block_bytes(type);
  }
  size_t stride() const { return row_stride != 0 ? row_stride : row_bytes(); }
  const std::byte* row(uint32_t r) const { return data + r * stride(); }
  /// From the first byte to the last, what lies between rows included.
  size_t span_bytes() const {
    return rows == 0 ? 0 : (rows - 1) * stride() + row_bytes();
  }
  bool empty() const { return data == nullptr; }
};

} // namespace troupe
