#include "core/sampling/logit_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

constexpr size_t odd_sizes[] = {1, 2, 31, 32, 33, 63, 64, 65, 100, 1000};

std::vector<float> logits_of(size_t n) {
  auto out = std::vector<float>(n);
  for (auto i = size_t{0}; i < n; ++i)
    out[i] = static_cast<float>(20 * random_unit(n, i) - 10);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(logit_scans)

BOOST_AUTO_TEST_CASE(maxima_are_those_of_blocks) {
  for (auto n : odd_sizes) {
    auto x = logits_of(n);
    auto maxima = std::vector<float>(7, 1e9f);
    BOOST_REQUIRE(scan_maxima(x, maxima));
    BOOST_REQUIRE(maxima.size() == (n + 31) / 32);
    for (auto b = size_t{0}; b < maxima.size(); ++b) {
      auto first = x.begin() + ptrdiff_t(b * 32);
      auto last = x.begin() + ptrdiff_t(std::min(n, b * 32 + 32));
      BOOST_TEST(maxima[b] == *std::max_element(first, last));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_nan_anywhere_is_seen) {
  auto maxima = std::vector<float>{};
  for (auto at = 0; at < 100; ++at) {
    auto x = logits_of(100);
    x[size_t(at)] = std::bit_cast<float>(at % 2 ? 0x7fc00000u : 0xff800001u);
    BOOST_TEST(!scan_maxima(x, maxima));
  }
  auto x = std::vector<float>(100, INFINITY);
  x[3] = -INFINITY;
  BOOST_TEST(scan_maxima(x, maxima));
}

BOOST_AUTO_TEST_CASE(exponentials_are_close_to_the_library_s) {
  auto x = std::vector<float>{};
  for (auto i = 0; i <= 87 * 512; ++i)
    x.push_back(-static_cast<float>(i) / 512.f);
  auto out = std::vector<float>(x.size());
  auto sums = std::vector<double>{};
  scan_exp(x, 0.f, 1.f, out, sums);
  BOOST_TEST(out[0] == 1.f);
  auto worst = 0.0;
  for (auto i = size_t{0}; i < x.size(); ++i)
    worst = std::max(worst, std::fabs(out[i] / std::exp(double{x[i]}) - 1));
  BOOST_TEST(worst < 2e-7);
}

BOOST_AUTO_TEST_CASE(exponentials_have_ends) {
  auto x = std::vector<float>{0.f,    -0.f,   -1e-45f, -87.f,
                              -87.1f, -1e30f, -3e38f,  -INFINITY};
  auto out = std::vector<float>(x.size());
  auto sums = std::vector<double>{};
  scan_exp(x, 0.f, 1.f, out, sums);
  for (auto i : {0, 1, 2})
    BOOST_TEST(out[size_t(i)] == 1.f);
  BOOST_TEST(out[3] > 1e-38f);
  for (auto i : {4, 5, 6, 7})
    BOOST_TEST(out[size_t(i)] == 0.f);
  // A scale beyond all measure leaves only the largest.
  scan_exp(x, 0.f, 3e38f, out, sums);
  BOOST_TEST(out[0] == 1.f);
  BOOST_TEST(out[3] == 0.f);
}

BOOST_AUTO_TEST_CASE(sums_are_those_of_blocks) {
  for (auto n : odd_sizes) {
    auto x = logits_of(n);
    auto out = x;
    auto sums = std::vector<double>{};
    auto total = scan_exp(out, 10.f, 1.f, out, sums); // in place
    auto whole = 0.0, of_blocks = 0.0;
    for (auto i = size_t{0}; i < n; ++i)
      whole += std::exp(double{x[i]} - 10);
    for (auto s : sums)
      of_blocks += s;
    BOOST_TEST(total == of_blocks);
    BOOST_TEST(total == whole, boost::test_tools::tolerance(1e-6));
    auto before = out;
    auto least = *std::max_element(out.begin(), out.end()) / 2;
    total = scan_clear_below(out, least, sums);
    whole = 0;
    for (auto i = size_t{0}; i < n; ++i) {
      BOOST_TEST(out[i] == (before[i] < least ? 0.f : before[i]));
      whole += out[i];
    }
    BOOST_TEST(total == whole, boost::test_tools::tolerance(1e-6));
  }
}

// A change of these bits changes the tokens that a seed gives.
BOOST_AUTO_TEST_CASE(bits_are_the_same_everywhere) {
  auto x = logits_of(1000);
  auto sums = std::vector<double>{};
  auto total = scan_exp(x, 10.f, 1.25f, x, sums);
  auto hash = uint64_t{1469598103934665603u};
  for (auto e : x)
    hash = (hash ^ std::bit_cast<uint32_t>(e)) * 1099511628211u;
  hash = (hash ^ std::bit_cast<uint64_t>(total)) * 1099511628211u;
  hash = (hash ^ std::bit_cast<uint64_t>(portable_log(total))) * 1099511628211u;
  BOOST_TEST(hash == 7146933965091180778u);
}

BOOST_AUTO_TEST_CASE(logarithms) {
  BOOST_TEST(portable_log(1.0) == 0.0);
  for (auto x = 1.0000001; x < 1e300; x *= 1.37)
    BOOST_TEST(portable_log(x) == std::log(x),
               boost::test_tools::tolerance(1e-14));
}

BOOST_AUTO_TEST_SUITE_END()
