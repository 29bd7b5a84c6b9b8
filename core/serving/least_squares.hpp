#pragma once

#include <array>
#include <cstddef>

namespace troupe {

/// Numbers of the few counts that a step's time is made of.
inline constexpr size_t step_features = 5;
using feature_vec = std::array<double, step_features>;
using feature_mask = std::array<bool, step_features>;
using feature_matrix = std::array<feature_vec, step_features>;

inline double dot(const feature_vec& a, const feature_vec& b) {
  auto sum = 0.;
  for (size_t i = 0; i < step_features; ++i)
    sum += a[i] * b[i];
  return sum;
}

/// L D L' of a symmetric positive definite matrix.
class ldl_factors {
public:
  ldl_factors() = default;

  explicit ldl_factors(const feature_matrix& m)
      : ldl_factors(m, {true, true, true, true, true}) {}

  /// Of the rows and columns in `in`; the rest counts as unknowns that are 0.
  ldl_factors(const feature_matrix& m, const feature_mask& in);

  /// The x with m x = b.
  feature_vec solve(const feature_vec& b) const;

  /// b . x of the same.
  double quadratic(const feature_vec& b) const;

private:
  feature_vec forward(const feature_vec& b) const;

  feature_matrix l_ = {};    ///< below the diagonal; 0 where left out
  feature_vec inverse_ = {}; ///< of D; 0 where left out
};

/// The x >= 0 that minimises x.(m x)/2 - b.x. `whole` are the factors of m, and
/// `start` is any x >= 0; the one of a similar problem costs one solution.
feature_vec solve_nonnegative(const feature_matrix& m, const ldl_factors& whole,
                              const feature_vec& b, const feature_vec& start);

} // namespace troupe
