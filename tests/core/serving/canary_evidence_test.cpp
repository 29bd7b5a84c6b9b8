#include "core/serving/canary_evidence.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

bool chance(double p, uint64_t seed, uint64_t n, uint32_t draw = 0) {
  return random_unit(seed, n, draw) < p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(canary_evidence_suite)

// The wealth after one request, by the odds: nothing is gained on average.
BOOST_AUTO_TEST_CASE(a_bet_is_fair_if_the_canary_is_not_worse) {
  for (auto share : {0.01, 0.1, 0.5, 0.9})
    for (auto r : {0.2, 0.95, 1.5, 100.}) {
      auto win = label_test<1, 1>{{{{r}}}};
      auto lose = win;
      win.record(0, true, share);
      lose.record(0, false, share);
      auto mean = share * win.wealth() + (1 - share) * lose.wealth();
      BOOST_TEST(std::abs(mean - 1) < 1e-12);
      // With fewer of the canary than its share it loses, if r bets on more.
      if (r > 1)
        BOOST_TEST(share / 2 * win.wealth() + (1 - share / 2) * lose.wealth()
                   < 1);
    }
}

BOOST_AUTO_TEST_CASE(wealth_may_become_huge_or_nothing) {
  auto t = label_test<1, 2>{{{{2}, {100}}}};
  for (auto i = 0; i < 10'000; ++i)
    t.record(0, true, 0.1);
  BOOST_TEST(std::isfinite(t.wealth()));
  BOOST_TEST(t.wealth() > 1e100);
  for (auto i = 0; i < 1'000'000; ++i)
    t.record(0, false, 0.1);
  BOOST_TEST(t.wealth() < 1e-100);
}

BOOST_AUTO_TEST_CASE(bounds_of_a_rate_hold_at_all_times) {
  auto missed = 0;
  for (auto run = 0u; run < 400; ++run) {
    auto p = std::array{0., 0.01, 0.3, 0.99}[run % 4];
    auto b = rate_bounds{};
    auto out = false;
    for (auto i = 0u; i < 300; ++i) {
      b.record(chance(p, run, i));
      if (i % 10 == 0)
        out |= b.lower(0.05) > p || b.upper(0.05) < p;
    }
    missed += out;
  }
  BOOST_TEST(missed <= 40); // two sides of 5 %
}

BOOST_AUTO_TEST_CASE(bounds_of_a_rate_close_in) {
  auto b = rate_bounds{};
  BOOST_TEST(b.lower(0.05) == 0);
  BOOST_TEST(b.upper(0.05) == 1);
  for (auto i = 0; i < 1000; ++i)
    b.record(false);
  BOOST_TEST(b.lower(0.05) == 0);
  BOOST_TEST(b.upper(0.05) < 0.01);
  for (auto i = 0; i < 1000; ++i)
    b.record(true);
  BOOST_TEST(b.lower(0.05) > 0.44);
  BOOST_TEST(b.upper(0.05) < 0.56);
  auto all = rate_bounds{};
  for (auto i = 0; i < 1000; ++i)
    all.record(true);
  BOOST_TEST(all.lower(0.05) > 0.99);
  BOOST_TEST(all.upper(0.05) == 1);
}

BOOST_AUTO_TEST_CASE(the_median_is_found_and_followed) {
  auto m = running_median{};
  for (auto i = 0u; i < 3000; ++i)
    m.record(3 + random_unit(1, i) * 2);
  BOOST_TEST(std::abs(m.log_value - 4) < 0.15);
  for (auto i = 0u; i < 1000; ++i)
    m.record(8 + random_unit(2, i) * 2);
  BOOST_TEST(std::abs(m.log_value - 9) < 0.15);
}

BOOST_AUTO_TEST_CASE(nothing_is_said_without_data) {
  auto e = canary_evidence{};
  BOOST_TEST(!e.worse());
  BOOST_TEST(!e.not_worse());
  BOOST_TEST(e.against() < 1);
  for (auto i = 0; i < 10; ++i)
    e.record(false, 0.2, {false, 100ms, 10ms, false});
  BOOST_TEST(!e.worse());
  BOOST_TEST(!e.not_worse());
}

// It had its share of the requests, and none of them has ended.
BOOST_AUTO_TEST_CASE(a_canary_that_hangs_is_worse) {
  auto e = canary_evidence{};
  auto n = 0;
  for (; n < 1000 && !e.worse(); ++n)
    e.record(false, 0.2, {false, 100ms + n % 7 * 1ms, 10ms, false});
  BOOST_TEST(n > 20);
  BOOST_TEST(n < 600);
}

// Few failures are enough where the baseline has none, and none are held
// against it where that has as many.
BOOST_AUTO_TEST_CASE(failures_speak_against_it) {
  auto e = canary_evidence{};
  auto failures = 0;
  while (!e.worse() && failures < 100) {
    e.record(true, 0.2, {true, {}, {}, false});
    ++failures;
  }
  BOOST_TEST(failures <= 5);
  BOOST_TEST((e.reason() == canary_measure::failures));
  auto equal = canary_evidence{};
  for (auto i = 0u; i < 10'000; ++i)
    equal.record(i % 5 == 0, 0.2, {i % 7 == 0, {}, {}, false});
  BOOST_TEST(!equal.worse());
}

BOOST_AUTO_TEST_CASE(each_measure_is_seen_for_what_it_is) {
  auto slow = [](canary_measure m) {
    auto e = canary_evidence{};
    for (auto i = 0u; i < 20'000 && !e.worse(); ++i) {
      auto canary = chance(0.2, 7, i);
      auto ms = 100 + 100 * random_unit(7, i, 1);
      auto worse = canary ? ms * 1.5 : ms;
      auto ns = [](double x) {
        return duration{static_cast<int64_t>(x * 1e6)};
      };
      e.record(canary, 0.2,
               {false, ns(m == canary_measure::ttft ? worse : ms),
                ns(m == canary_measure::tpot ? worse : ms),
                chance(m == canary_measure::cut_off && canary ? 0.5 : 0.1, 7, i,
                       2)});
    }
    BOOST_TEST(e.worse());
    return e.reason();
  };
  for (auto m :
       {canary_measure::ttft, canary_measure::tpot, canary_measure::cut_off})
    BOOST_TEST((slow(m) == m));
}

BOOST_AUTO_TEST_CASE(a_faster_one_is_not_worse) {
  auto e = canary_evidence{};
  for (auto i = 0u; i < 20'000; ++i) {
    auto canary = chance(0.2, 9, i);
    auto ns = static_cast<int64_t>(1e8 * (canary ? 0.6 : 1)
                                   * (1 + random_unit(9, i, 1)));
    e.record(canary, 0.2, {false, duration{ns}, duration{ns / 10}, false});
    BOOST_REQUIRE(!e.worse());
  }
  BOOST_TEST(e.not_worse());
}

BOOST_AUTO_TEST_CASE(equal_latencies_are_compared_as_well) {
  auto e = canary_evidence{};
  for (auto i = 0u; i < 5000; ++i)
    e.record(chance(0.2, 3, i), 0.2, {false, 5ms, 1ms, true});
  BOOST_TEST(!e.worse());
}

BOOST_AUTO_TEST_SUITE_END()
