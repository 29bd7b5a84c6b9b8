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

BOOST_AUTO_TEST_CASE(yarn_slows_down_what_turns_seldom) {
  // Heads of 128, base 10^6, 32,768 tokens: pairs from 64 log(32768 / (2 pi
  // 32)) / log(10^6), 23.6, to 64 log(32768 / (2 pi)) / log(10^6), 39.65.
  auto yarn = rope_yarn{4.f, 32768};
  auto f = yarn_factors(yarn, 128, 1e6f);
  BOOST_TEST(f.size() == 64u);
  for (auto i = 0u; i <= 23; ++i)
    BOOST_TEST(f[i] == 1.f);
  for (auto i = 40u; i < 64; ++i)
    BOOST_TEST(f[i] == 4.f);
  // In between the frequency falls evenly from all of it to a quarter.
  for (auto i = 24u; i < 40; ++i) {
    auto share = (i - 23) / 17.0;
    BOOST_TEST(std::abs(1 / f[i] - (1 - 0.75 * share)) < 1e-6);
  }
  BOOST_TEST(std::abs(yarn_magnitude(4.f) - 1.1386294f) < 1e-6f);
  BOOST_TEST(yarn_magnitude(1.f) == 1.f);
}

BOOST_AUTO_TEST_CASE(yarn_of_odd_numbers_stays_in_bounds) {
  for (auto context : {1u, 40u, 1u << 24})
    for (auto dim : {2u, 6u, 64u})
      for (auto base : {1.0001f, 10000.f, 1e30f})
        for (auto factor : {1.f, 8.f, 1e30f})
          for (auto x : yarn_factors({factor, context}, dim, base))
            BOOST_TEST((x >= 1.f && x <= factor * 1.0001f),
                       x << " of " << factor);
}

BOOST_AUTO_TEST_CASE(a_magnitude_scales_what_is_turned) {
  auto plain = rope_angles{16, 10000.f, 1.f, {}};
  auto loud = rope_angles{16, 10000.f, 1.f, {}, 2.f};
  auto a = std::vector<float>(16), b = a;
  plain.at(5, a.data());
  loud.at(5, b.data());
  for (auto i = 0u; i < 16; ++i)
    BOOST_TEST(b[i] == 2 * a[i]);
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
