#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/model/gguf.hpp"

namespace troupe {

/// A tensor of the new file.
struct requantized_tensor {
  const gguf_tensor* from = nullptr; ///< of the old one
  dtype to = dtype::f32;
  uint64_t offset = 0; ///< of its data in the new file
  uint64_t bytes = 0;  ///< of its data

  /// The data is copied, not decoded and encoded.
  bool kept() const { return from->type == static_cast<uint32_t>(to); }
};

/// A GGUF file with the tensors of another one in other encodings: what goes
/// before the data, and what the data is made of. Gaps are zeros.
struct requantize_plan {
  std::vector<std::byte> header;
  std::vector<requantized_tensor> tensors; ///< in the order of their offsets
  uint64_t bytes = 0;                      ///< of the whole file
};

struct requantize_options {
  dtype type = dtype::q8_0;
  /// The output matrix too; see plan_requantize.
  bool pure = false;
};

/// Plans to write matrices as `type`. Exceptions:
/// - vectors (norms, biases, factors) become f32;
/// - the output matrix (the embedding, where they are one) becomes q6_k if
///   `type` has fewer bits and not `pure`: its errors go straight into the
///   logits;
/// - where rows are not whole blocks, the next larger encoding of 32 values a
///   block is taken, or f16.
/// Metadata stays, but for general.file_type and
/// general.quantization_version, which say what the file now is.
/// unsupported: a tensor is of an encoding that this build cannot decode.
/// REQUIRES: `file` outlives the plan.
result<requantize_plan> plan_requantize(const gguf_file& file,
                                        const requantize_options& options);

/// Values that requantize_piece takes at most; a multiple of every block.
inline constexpr uint32_t requantize_piece_values = 1u << 16;

/// Pieces of a tensor.
uint64_t pieces_of(const requantized_tensor& t);

/// Where in the tensor's new data a piece lies: bytes from, and how many.
struct byte_range {
  uint64_t offset = 0;
  size_t bytes = 0;
};
byte_range range_of_piece(const requantized_tensor& t, uint64_t piece);

/// Encodes a piece into `out`, as long as range_of_piece says. bad_file: a
/// value is infinite or NaN; unsupported: it is beyond float16's range, which
/// all encodings but f32 and bf16 are limited to.
result<void> requantize_piece(const gguf_file& file,
                              const requantized_tensor& t, uint64_t piece,
                              std::span<std::byte> out);

} // namespace troupe
