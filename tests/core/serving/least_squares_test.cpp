#include "core/serving/least_squares.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

constexpr auto n = step_features;

// m = sum of `rows` outer products, plus a little on the diagonal; b likewise.
struct problem {
  feature_matrix m = {};
  feature_vec b = {};

  problem(uint64_t seed, int rows) {
    for (size_t i = 0; i < n; ++i)
      m[i][i] = 1e-5;
    for (auto r = 0; r < rows; ++r) {
      auto draw = [&](uint32_t i) {
        return 2 * random_unit(seed, static_cast<uint64_t>(r), i) - 1;
      };
      for (uint32_t i = 0; i < n; ++i) {
        for (uint32_t j = 0; j < n; ++j)
          m[i][j] += draw(i) * draw(j);
        b[i] += draw(i) * draw(n);
      }
    }
  }

  double cost(const feature_vec& x) const {
    auto sum = -dot(b, x);
    for (size_t i = 0; i < n; ++i)
      sum += x[i] * dot(m[i], x) / 2;
    return sum;
  }

  // The best of the solutions for every set of variables that are not 0.
  double least_cost() const {
    auto least = 0.;
    for (auto set = 1u; set < 1u << n; ++set) {
      auto in = feature_mask{};
      for (size_t i = 0; i < n; ++i)
        in[i] = (set >> i & 1) != 0;
      auto x = ldl_factors{m, in}.solve(b);
      if (*std::min_element(x.begin(), x.end()) >= 0)
        least = std::min(least, cost(x));
    }
    return least;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(least_squares_suite)

BOOST_AUTO_TEST_CASE(factors_solve_what_they_are_of) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto p = problem{seed, 12};
    auto f = ldl_factors{p.m};
    auto x = f.solve(p.b);
    for (size_t i = 0; i < n; ++i)
      BOOST_TEST(std::abs(dot(p.m[i], x) - p.b[i]) < 1e-8);
    BOOST_TEST(f.quadratic(p.b) == dot(p.b, x),
               boost::test_tools::tolerance(1e-8));
  }
}

BOOST_AUTO_TEST_CASE(what_is_left_out_is_zero_and_ignored) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto p = problem{seed, 12};
    auto in = feature_mask{true, false, true, true, false};
    auto x = ldl_factors{p.m, in}.solve(p.b);
    for (size_t i = 0; i < n; ++i)
      if (in[i])
        BOOST_TEST(std::abs(dot(p.m[i], x) - p.b[i]) < 1e-8);
      else
        BOOST_TEST(x[i] == 0);
  }
}

BOOST_AUTO_TEST_CASE(no_other_nonnegative_solution_is_better) {
  auto constrained = 0;
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    // Few rows: a matrix that is nearly singular.
    auto p = problem{seed, 2 + static_cast<int>(seed % 10)};
    auto start = feature_vec{};
    for (uint32_t i = 0; i < n; ++i)
      start[i] = std::max(0., 2 * random_unit(seed, 99, i) - 1);
    auto x = solve_nonnegative(p.m, ldl_factors{p.m}, p.b, start);
    BOOST_REQUIRE_GE(*std::min_element(x.begin(), x.end()), 0.);
    BOOST_REQUIRE_LE(p.cost(x), p.least_cost() + 1e-7);
    constrained += *std::min_element(x.begin(), x.end()) == 0 ? 1 : 0;
  }
  BOOST_TEST(constrained > 1000);
}

BOOST_AUTO_TEST_CASE(a_singular_matrix_has_finite_solutions) {
  auto p = problem{1, 1};
  for (size_t i = 0; i < n; ++i)
    p.m[i][i] -= 1e-5;
  auto x = solve_nonnegative(p.m, ldl_factors{p.m}, p.b, {1, 1, 1, 1, 1});
  for (auto xi : x)
    BOOST_TEST((std::isfinite(xi) && xi >= 0));
}

BOOST_AUTO_TEST_SUITE_END()
