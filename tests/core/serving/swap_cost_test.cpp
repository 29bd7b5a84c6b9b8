#include "core/serving/swap_cost.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace troupe;

using boost::test_tools::tolerance;

BOOST_AUTO_TEST_SUITE(swap_cost_suite)

BOOST_AUTO_TEST_CASE(nothing_measured_leaves_the_priors) {
  auto c = swap_cost{};
  BOOST_TEST(c.copy_ns(2'000'000'000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.prefill_ns(2000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.decode_ns(50) == 1e9, tolerance(1e-9));
  c.swapped(0, 5);
  c.swapped(5, 0);
  c.swapped(5, -1);
  c.prefilled(0, 0);
  c.decoded(1, std::numeric_limits<int64_t>::min());
  BOOST_TEST(c.copy_ns(2'000'000'000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.prefill_ns(2000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.decode_ns(50) == 1e9, tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(what_is_measured_replaces_them) {
  auto c = swap_cost{};
  for (auto i = 0; i < 40; ++i) {
    c.swapped(1 << 26, 1 << 24); // 4 bytes/ns
    c.prefilled(1024, 1024 * 1000);
    c.decoded(64, 64 * 3'000'000);
  }
  BOOST_TEST(c.copy_ns(400) == 100., tolerance(1e-4));
  BOOST_TEST(c.prefill_ns(1) == 1000., tolerance(1e-2));
  BOOST_TEST(c.decode_ns(1) == 3e6, tolerance(1e-4));
}

BOOST_AUTO_TEST_CASE(an_outlier_fades) {
  auto s = measured_speed{10, 100};
  s.add(10, 10'000);
  BOOST_TEST(s.ns_per_unit() > 100);
  for (auto i = 0; i < 100; ++i)
    s.add(10, 100);
  BOOST_TEST(s.ns_per_unit() == 10., tolerance(1e-3));
}

// How work is split into reports does not matter.
BOOST_AUTO_TEST_CASE(many_small_reports_weigh_as_one_large) {
  auto whole = measured_speed{10, 1000};
  auto split = measured_speed{10, 1000};
  whole.add(100, 3000);
  for (auto i = 0; i < 100; ++i)
    split.add(1, 30);
  BOOST_TEST(whole.ns_per_unit() == split.ns_per_unit(), tolerance(0.05));
  BOOST_TEST(split.ns_per_unit() > 12);
}

BOOST_AUTO_TEST_CASE(no_amount_of_work_breaks_it) {
  auto c = swap_cost{};
  c.swapped(std::numeric_limits<uint64_t>::max(),
            std::numeric_limits<int64_t>::max());
  c.swapped(1, 1);
  c.swapped(1, std::numeric_limits<int64_t>::max());
  BOOST_TEST(c.copy_ns(1) > 0);
  BOOST_TEST(c.copy_ns(std::numeric_limits<uint64_t>::max())
             < std::numeric_limits<double>::infinity());
}

BOOST_AUTO_TEST_SUITE_END()
