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
  /// 32 values in 34 bytes: float16 scale, 32 int8; x = d * q.
  q8_0 = 8,
  bf16 = 30,
};

/// "f32", "q8_0", …
std::string_view to_string(dtype t);

/// Values that share one encoded block: 1 or 32.
uint32_t block_values(dtype t);

/// Bytes of one encoded block.
uint32_t block_bytes(dtype t);

/// What the inputs of a product with a packed matrix are rounded to, each row
/// and group of 32 inputs with its own scale.
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
  const std::byte* data = nullptr; ///< [rows, row_bytes()]
  /// The same matrix rearranged for products, or null; then `data` is only
  /// read for single rows.
  const packed_matrix* packed = nullptr;

  size_t row_bytes() const {
    return size_t{cols} / block_values(type) * block_bytes(type);
  }
  const std::byte* row(uint32_t r) const { return data + r * row_bytes(); }
  bool empty() const { return data == nullptr; }
};

} // namespace troupe
