#include "core/tensor/rope.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <complex>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

std::vector<float> random_head(uint32_t n) {
  auto xs = std::vector<float>(n);
  for (auto i = 0u; i < n; ++i)
    xs[i] = static_cast<float>(2 * random_unit(5, i) - 1);
  return xs;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_rope)

BOOST_AUTO_TEST_CASE(a_pair_is_a_complex_number_that_turns) {
  for (auto dim : {2u, 6u, 32u, 128u})
    for (auto position : {0u, 1u, 17u, 2047u, 131071u})
      for (auto adjacent : {false, true}) {
        auto factors = std::vector<float>(dim / 2, 1.5f);
        factors[0] = 4.f;
        auto angles = rope_angles{dim, 500000.f, 0.5f, factors};
        BOOST_TEST(angles.pairs() == dim / 2);
        auto cos_sin = std::vector<float>(dim);
        angles.at(position, cos_sin.data());
        auto x = random_head(dim + 3); // the rest of the head stays
        auto y = x;
        (adjacent ? rotate_adjacent : rotate_halves)(y.data(), dim / 2,
                                                     cos_sin.data());
        auto worst = 0.0;
        for (auto i = 0u; i < dim / 2; ++i) {
          auto a = adjacent ? 2 * i : i;
          auto b = adjacent ? 2 * i + 1 : i + dim / 2;
          auto angle =
              position * 0.5 * std::pow(500000.0, -2.0 * i / dim) / factors[i];
          auto want = std::complex<double>{x[a], x[b]} * std::polar(1., angle);
          worst = std::max(worst,
                           std::abs(want - std::complex<double>{y[a], y[b]}));
        }
        BOOST_TEST(worst < 3e-7, dim << " " << position << " off by " << worst);
        for (auto i = dim; i < dim + 3; ++i)
          BOOST_TEST(y[i] == x[i]);
      }
}

BOOST_AUTO_TEST_CASE(the_start_of_a_text_does_not_turn) {
  auto angles = rope_angles{16, 10000.f, 1.f, {}};
  auto cos_sin = std::vector<float>(16);
  angles.at(0, cos_sin.data());
  auto x = random_head(16);
  auto y = x;
  rotate_adjacent(y.data(), 8, cos_sin.data());
  rotate_halves(y.data(), 8, cos_sin.data());
  BOOST_TEST(y == x);
}

BOOST_AUTO_TEST_SUITE_END()
