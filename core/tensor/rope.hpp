#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// YaRN (Peng et al., "YaRN: Efficient Context Window Extension of Large
/// Language Models", 2023): pairs that turn often within the context that the
/// model was first trained for keep their frequency, those that turn seldom
/// are slowed down by `factor`, and a ramp lies between.
struct rope_yarn {
  float factor = 1.f; ///< 1: none of it
  uint32_t original_context = 0;
  float beta_fast = 32.f; ///< turns from which on a pair is left alone
  float beta_slow = 1.f;  ///< turns up to which it is slowed down in full
};

/// What each pair's frequency is divided by: [dim / 2], from 1 to the factor.
/// REQUIRES: base > 1; factor and original_context are positive, beta_fast and
/// beta_slow as well.
std::vector<float> yarn_factors(const rope_yarn& yarn, uint32_t dim,
                                float base);

/// The magnitude that the paper recommends: 0.1 ln(factor) + 1 for each of Q
/// and K.
float yarn_magnitude(float factor);

/// The angles of rotary position embedding (Su et al., "RoFormer", 2021).
class rope_angles {
public:
  /// Pair i of `dim` / 2 turns by position * scale * base^(-2 i / dim) /
  /// factors[i]; `factors` is [dim / 2] or empty. Cosines and sines are
  /// multiplied by `magnitude`.
  rope_angles(uint32_t dim, float base, float scale,
              std::span<const float> factors, float magnitude = 1.f);

  uint32_t pairs() const { return static_cast<uint32_t>(frequency_.size()); }

  /// Writes [pairs] cosines, then [pairs] sines. Computed in double, so that
  /// late positions are as exact as early ones.
  void at(uint32_t position, float* cos_sin) const;

private:
  std::vector<double> frequency_; ///< radians for each position
  double magnitude_;
};

/// Rotates the pairs (0,1), (2,3), … of one head.
void rotate_adjacent(float* head, uint32_t pairs, const float* cos_sin);

/// Rotates the pairs (0, pairs), (1, pairs + 1), … of one head.
void rotate_halves(float* head, uint32_t pairs, const float* cos_sin);

} // namespace troupe
