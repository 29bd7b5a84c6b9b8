#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/large_array.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

/// Outputs that lie together in a packed matrix.
inline constexpr uint32_t panel_outputs = 32;

/// Inputs that share a scale.
inline constexpr uint32_t group_inputs = 32;

/// A matrix [n, k] rearranged: if quantised, for dot products of four bytes at
/// a time. Panel p holds outputs 32 p and on (zeros beyond n), block after
/// block; of each block first what its levels are multiplied by, then the
/// levels of its groups of 32 inputs, all unsigned. [32] is one for each
/// output:
/// - q8_0: float16 d [32]; 1024 bytes [8][32][4]: byte [i][o][j] is 128 + q of
///   output o, input 4 i + j.
/// - q4_0: d [32]; nibbles, 512 bytes [4][32][4]: of byte [i][o][j] the low one
///   is input 8 i + j, the high one input 8 i + 4 + j.
/// - q4_1: d [32], m [32]; nibbles.
/// - q5_0: d [32]; nibbles; fifth bits, 128 bytes [32][4]: bit i of byte [o][j]
///   is of input 4 i + j.
/// - q5_1: d [32], m [32]; nibbles; fifth bits.
/// - q4_k: d [32], e [32]; of each of eight groups a byte s [32], a byte m
/// [32],
///   nibbles.
/// - q5_k: the same with fifth bits after a group's nibbles.
/// - q6_k: d [32]; of each of eight groups int8 s [2][32] of 16 inputs each,
///   nibbles, upper bits, 256 bytes [2][32][4]: bits 2 i and on of byte
///   [h][o][j] are of input 16 h + 4 i + j.
/// - bf16, for dot products of two: [k / 2][32][2]; element [i][o][j] is of
///   output o, input 2 i + j, a zero beyond an odd k.
/// It takes the room of what it was made from; of q4_k and q5_k a few per cent
/// more.
class packed_matrix {
public:
  /// Whether a matrix of this type can be packed.
  static bool supports(dtype t);

  packed_matrix() = default;

  /// REQUIRES: supports(w.type).
  explicit packed_matrix(const matrix_view& w);

  dtype type() const { return type_; }
  uint32_t rows() const { return rows_; }
  uint32_t cols() const { return cols_; }
  uint32_t panels() const {
    return (rows_ + panel_outputs - 1) / panel_outputs;
  }

  /// Bytes that block_values(t) inputs of a panel take.
  static size_t block_bytes(dtype t);
  size_t panel_bytes() const {
    auto blocks = size_t{cols_} / block_values(type_);
    if (type_ == dtype::bf16)
      blocks += blocks % 2;
    return blocks * block_bytes(type_);
  }
  const std::byte* panel(uint32_t p) const {
    return data_.get() + p * panel_bytes();
  }
  size_t bytes() const { return panels() * panel_bytes(); }

  /// Packs panels [first, last); for several threads at once.
  void fill(const matrix_view& w, uint32_t first, uint32_t last);

  /// Makes room for `w`, to be filled panel by panel.
  static packed_matrix room_for(const matrix_view& w);

private:
  void fill_pairs(const matrix_view& w, uint32_t panel);

  dtype type_ = dtype::q8_0;
  uint32_t rows_ = 0;
  uint32_t cols_ = 0;
  large_array<std::byte> data_;
};

/// Whether engines pack matrices of this type: those of bf16 only where this
/// processor multiplies it. All engines of a process have to agree on it,
/// whatever their kernels.
bool is_worth_packing(dtype t);

} // namespace troupe
