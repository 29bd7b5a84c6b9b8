#include "core/serving/swap_cost.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/base/random.hpp"

using namespace troupe;

using boost::test_tools::tolerance;

BOOST_AUTO_TEST_SUITE(swap_cost_suite)

BOOST_AUTO_TEST_CASE(nothing_measured_leaves_the_priors) {
  auto c = swap_cost{};
  auto step = step_cost{};
  auto prior = 2000 * step.prefill_token + 2001000 * step.prefill_context;
  BOOST_TEST(c.copy_ns(2'000'000'000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.prefill_ns(2000) == prior, tolerance(1e-9));
  BOOST_TEST(c.decode_ns(50) == 1e9, tolerance(1e-9));
  c.swapped(0, 5);
  c.swapped(5, 0);
  c.swapped(5, -1);
  c.stepped({}, 5);
  c.stepped({1, 1, 0, 0}, 0);
  c.decoded(1, std::numeric_limits<int64_t>::min());
  BOOST_TEST(c.copy_ns(2'000'000'000) == 1e9, tolerance(1e-9));
  BOOST_TEST(c.prefill_ns(2000) == prior, tolerance(1e-9));
  BOOST_TEST(c.decode_ns(50) == 1e9, tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(what_is_measured_replaces_them) {
  auto c = swap_cost{};
  for (auto i = 0; i < 40; ++i) {
    c.swapped(1 << 26, 1 << 24); // 4 bytes/ns
    c.decoded(64, 64 * 3'000'000);
  }
  BOOST_TEST(c.copy_ns(400) == 100., tolerance(1e-4));
  BOOST_TEST(c.decode_ns(1) == 3e6, tolerance(1e-4));
}

// A prompt costs what it adds to steps: their base, and the rows beside it, are
// paid anyway; later tokens attend to more.
BOOST_AUTO_TEST_CASE(a_prompt_costs_what_it_adds) {
  auto c = swap_cost{};
  auto draw = [n = uint64_t{0}](uint32_t below) mutable {
    return static_cast<uint32_t>(random_bits(1, n++) % below);
  };
  for (auto i = 0; i < 400; ++i) {
    auto s = step_shape{};
    s.prefill_tokens = draw(256);
    s.prefill_context = uint64_t{s.prefill_tokens} * (1 + draw(2000));
    s.rows = draw(16);
    s.decode_context = uint64_t{s.rows} * (1 + draw(2000));
    auto ns = 1e6 + 1e5 * s.prefill_tokens
              + 20. * static_cast<double>(s.prefill_context) + 5e5 * s.rows
              + 50. * static_cast<double>(s.decode_context);
    c.stepped(s, static_cast<int64_t>(ns));
  }
  BOOST_TEST(c.prefill_ns(1000) == 1e8 + 500500 * 20., tolerance(0.02));
  BOOST_TEST(c.prefill_ns(4000) == 4e8 + 8002000 * 20., tolerance(0.02));
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
