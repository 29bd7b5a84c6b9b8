#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// The angles of rotary position embedding (Su et al., "RoFormer", 2021).
class rope_angles {
public:
  /// Pair i of `dim` / 2 turns by position * scale * base^(-2 i / dim) /
  /// factors[i]; `factors` is [dim / 2] or empty.
  rope_angles(uint32_t dim, float base, float scale,
              std::span<const float> factors);

  uint32_t pairs() const { return static_cast<uint32_t>(frequency_.size()); }

  /// Writes [pairs] cosines, then [pairs] sines. Computed in double, so that
  /// late positions are as exact as early ones.
  void at(uint32_t position, float* cos_sin) const;

private:
  std::vector<double> frequency_; ///< radians for each position
};

/// Rotates the pairs (0,1), (2,3), … of one head.
void rotate_adjacent(float* head, uint32_t pairs, const float* cos_sin);

/// Rotates the pairs (0, pairs), (1, pairs + 1), … of one head.
void rotate_halves(float* head, uint32_t pairs, const float* cos_sin);

} // namespace troupe
