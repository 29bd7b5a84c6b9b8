#include "core/tensor/norm.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(tensor_norm)

BOOST_AUTO_TEST_CASE(it_agrees_with_plain_loops) {
  for (auto n : {1u, 2u, 15u, 16u, 17u, 31u, 256u, 1000u}) {
    auto x = std::vector<float>(n);
    auto w = std::vector<float>(n);
    for (auto i = 0u; i < n; ++i) {
      x[i] = static_cast<float>(10 * random_unit(n, i) - 5);
      w[i] = static_cast<float>(random_unit(n + 1, i));
    }
    auto y = std::vector<float>(n);
    rms_norm(x.data(), w.data(), n, 1e-5f, y.data());
    auto squares = 0.0;
    for (auto v : x)
      squares += static_cast<double>(v) * v;
    auto worst = 0.0;
    for (auto i = 0u; i < n; ++i) {
      auto want = x[i] / std::sqrt(squares / n + 1e-5) * w[i];
      worst = std::max(worst, std::abs(y[i] - want) / (1e-30 + std::abs(want)));
    }
    // n / 16 + 4 additions err by 2^-24 each, halved by the root; then five
    // operations more.
    BOOST_TEST(worst < (n / 32.0 + 7) * 0x1p-24, n << " off by " << worst);
  }
}

BOOST_AUTO_TEST_CASE(zeros_stay_zeros) {
  auto x = std::vector<float>(20);
  auto w = std::vector<float>(20, 1.f);
  auto y = std::vector<float>(20, 3.f);
  rms_norm(x.data(), w.data(), 20, 1e-6f, y.data());
  BOOST_TEST(y == x);
}

BOOST_AUTO_TEST_CASE(in_place_is_the_same) {
  auto x = std::vector<float>{3, -4, 1, 2, 0.5f};
  auto w = std::vector<float>{1, 2, 3, 4, 5};
  auto y = std::vector<float>(5);
  rms_norm(x.data(), w.data(), 5, 0.f, y.data());
  rms_norm(x.data(), w.data(), 5, 0.f, x.data());
  BOOST_TEST(x == y);
}

BOOST_AUTO_TEST_SUITE_END()
