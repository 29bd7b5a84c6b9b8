#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// Outputs that lie together in a packed matrix.
inline constexpr uint32_t panel_outputs = 32;

/// Inputs that share a scale.
inline constexpr uint32_t group_inputs = 32;

/// A quantised matrix [n, k] rearranged for dot products of four bytes at a
/// time. Panel p holds outputs 32 p and on (zeros beyond n), as k / 32 groups
/// one after another: the 32 float16 scales of the outputs, then the weights,
/// all made unsigned by adding `offset()`:
/// - q8_0, 1024 bytes: [8][32][4]; byte [i][o][j] is output o, input 4 i + j.
/// - q4_0, 512 bytes: [4][32][4]; of byte [i][o][j] the low nibble is input
///   8 i + j, the high one input 8 i + 4 + j.
/// It takes the room of what it was made from.
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

  static size_t group_bytes(dtype t);
  size_t panel_bytes() const {
    return cols_ / group_inputs * group_bytes(type_);
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
  struct release {
    void operator()(std::byte* p) const;
  };

  dtype type_ = dtype::q8_0;
  uint32_t rows_ = 0;
  uint32_t cols_ = 0;
  std::unique_ptr<std::byte[], release> data_;
};

} // namespace troupe
