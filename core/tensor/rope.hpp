#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Rotary position embedding (Su et al., "RoFormer", 2021): pair i of a head is
/// turned by position * scale * base^(-2i / dim) / factor[i].
class rope {
public:
  /// `factors`: [dim / 2], or empty for none. `adjacent`: pairs are (0, 1),
  /// (2, 3), …; otherwise (0, dim/2), (1, dim/2 + 1), ….
  rope(uint32_t dim, float base, float scale, std::span<const float> factors,
       bool adjacent);

  /// Cosines and sines of one position: [dim], for `turn`. Computed in double.
  void angles(uint32_t position, float* out) const;

  /// Turns the leading `dim` values of a head in place.
  void turn(const float* angles, float* head) const;

  uint32_t dim() const { return dim_; }

private:
  uint32_t dim_;
  bool adjacent_;
  std::vector<double> frequency_; ///< [dim / 2], radians a position
};

} // namespace troupe
