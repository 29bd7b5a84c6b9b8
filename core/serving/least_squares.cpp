#include "core/serving/least_squares.hpp"

#include <algorithm>

namespace troupe {

namespace {

constexpr auto n = step_features;

} // namespace

ldl_factors::ldl_factors(const feature_matrix& m, const feature_mask& in) {
  for (size_t i = 0; i < n; ++i) {
    if (!in[i])
      continue;
    auto row = feature_vec{}; // of L D
    auto d = m[i][i];
    for (size_t j = 0; j < i; ++j) {
      row[j] = m[i][j];
      for (size_t k = 0; k < j; ++k)
        row[j] -= row[k] * l_[j][k];
      l_[i][j] = row[j] * inverse_[j];
      d -= row[j] * l_[i][j];
    }
    // Rounding must not make the matrix singular.
    inverse_[i] = 1 / std::max(d, 1e-13 * m[i][i]);
  }
}

feature_vec ldl_factors::forward(const feature_vec& b) const {
  auto x = b;
  for (size_t i = 1; i < n; ++i)
    for (size_t k = 0; k < i; ++k)
      x[i] -= l_[i][k] * x[k];
  return x;
}

feature_vec ldl_factors::solve(const feature_vec& b) const {
  auto x = forward(b);
  for (size_t i = 0; i < n; ++i)
    x[i] *= inverse_[i];
  for (size_t i = n - 1; i-- > 0;)
    for (size_t k = i + 1; k < n; ++k)
      x[i] -= l_[k][i] * x[k];
  return x;
}

double ldl_factors::quadratic(const feature_vec& b) const {
  auto x = forward(b);
  auto sum = 0.;
  for (size_t i = 0; i < n; ++i)
    sum += x[i] * x[i] * inverse_[i];
  return sum;
}

// Active sets, as in Lawson and Hanson, "Solving Least Squares Problems", 1974,
// chapter 23. Every iterate is feasible, so the bound on their number, which
// only rounding can meet, harms nothing.
feature_vec solve_nonnegative(const feature_matrix& m, const ldl_factors& whole,
                              const feature_vec& b, const feature_vec& start) {
  auto x = whole.solve(b);
  if (*std::min_element(x.begin(), x.end()) > 0)
    return x;
  x = start;
  auto in = feature_mask{};
  for (size_t i = 0; i < n; ++i)
    in[i] = x[i] > 0;
  for (auto tries = 0; tries < 32; ++tries) {
    auto s = ldl_factors{m, in}.solve(b);
    auto share = 1.; // of the way to s that is feasible
    for (size_t i = 0; i < n; ++i)
      if (in[i] && s[i] <= 0)
        share = std::min(share, x[i] / (x[i] - s[i]));
    if (share < 1) {
      for (size_t i = 0; i < n; ++i)
        if (in[i]) {
          x[i] += share * (s[i] - x[i]);
          in[i] = x[i] > 1e-12;
          x[i] = in[i] ? x[i] : 0;
        }
      continue;
    }
    x = s;
    auto best = n;
    auto steepest = 0.;
    for (size_t i = 0; i < n; ++i) {
      auto slope = in[i] ? 0 : b[i] - dot(m[i], x);
      if (slope > steepest + 1e-9 * m[i][i])
        steepest = slope, best = i;
    }
    if (best == n)
      break;
    in[best] = true;
  }
  return x;
}

} // namespace troupe
