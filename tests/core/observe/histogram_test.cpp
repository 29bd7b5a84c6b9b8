#include "core/observe/histogram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 24h;
constexpr auto most = log_linear::largest;

// The plain twin: all values, sorted.
uint64_t plain_quantile(std::vector<uint64_t> values, double q) {
  std::ranges::sort(values);
  auto rank = std::ceil(q * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(rank, 1.)) - 1];
}

// Log-normal about 10^6, as latencies in ns are.
uint64_t log_normal(uint64_t seed, uint64_t n) {
  auto u = 1 - random_unit(seed, n, 0);
  auto v = random_unit(seed, n, 1);
  auto z = std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
  return static_cast<uint64_t>(std::exp(std::log(1e6) + 1.5 * z));
}

bool within_one_percent(uint64_t got, uint64_t want) {
  auto error = std::abs(static_cast<double>(got) - static_cast<double>(want));
  return error <= 0.01 * static_cast<double>(want);
}

} // namespace

BOOST_AUTO_TEST_SUITE(histogram_suite)

BOOST_AUTO_TEST_CASE(buckets_meet_and_their_middles_are_within_one_percent) {
  BOOST_TEST(log_linear::lower(0) == 0u);
  BOOST_TEST(log_linear::buckets % 64 == 0u);
  for (size_t b = 0; b < log_linear::buckets; ++b) {
    auto low = log_linear::lower(b);
    auto high = log_linear::upper(b);
    BOOST_REQUIRE(log_linear::index(low) == b);
    BOOST_REQUIRE(log_linear::index(high) == b);
    BOOST_REQUIRE(log_linear::lower(b + 1) == high + 1);
    BOOST_REQUIRE(within_one_percent(log_linear::middle(b), low));
    BOOST_REQUIRE(within_one_percent(log_linear::middle(b), high));
  }
  BOOST_TEST(log_linear::upper(log_linear::buckets - 1) == most);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_counts_as_the_largest) {
  auto h = histogram_counts{};
  h.add(std::numeric_limits<uint64_t>::max());
  h.add(most + 1);
  BOOST_TEST(h.count() == 2u);
  BOOST_TEST(within_one_percent(h.largest(), most));
}

BOOST_AUTO_TEST_CASE(nothing_has_no_quantiles) {
  auto h = histogram_counts{};
  BOOST_TEST(h.quantile(0.5) == 0u);
  BOOST_TEST(h.mean() == 0);
  BOOST_TEST(h.largest() == 0u);
}

BOOST_AUTO_TEST_CASE(small_numbers_are_exact) {
  auto h = histogram_counts{};
  for (auto v : {5, 5, 5, 7})
    h.add(v);
  BOOST_TEST(h.quantile(0.75) == 5u);
  BOOST_TEST(h.quantile(0.76) == 7u);
  BOOST_TEST(h.smallest() == 5u);
  BOOST_TEST(h.largest() == 7u);
  BOOST_TEST(h.mean() == 5.5);
  BOOST_TEST(h.sum() == 22u);
}

BOOST_AUTO_TEST_CASE(quantiles_out_of_range) {
  auto h = histogram_counts{};
  h.add(1);
  h.add(2);
  BOOST_TEST(h.quantile(-1) == 1u);
  BOOST_TEST(h.quantile(2) == 2u);
  BOOST_TEST(h.quantile(std::nan("")) == 1u);
}

BOOST_AUTO_TEST_CASE(quantiles_are_within_one_percent_of_sorted_values) {
  auto q = std::vector<double>{0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
  for (auto n : {1, 2, 3, 7, 63, 64, 65, 999, 20'000}) {
    auto h = histogram_counts{};
    auto values = std::vector<uint64_t>{};
    for (auto i = 0; i < n; ++i) {
      values.push_back(log_normal(n, i));
      h.add(values.back());
    }
    auto got = std::vector<uint64_t>(q.size());
    h.quantiles(q, got);
    for (size_t k = 0; k < q.size(); ++k) {
      BOOST_TEST(within_one_percent(got[k], plain_quantile(values, q[k])));
      BOOST_TEST(got[k] == h.quantile(q[k]));
    }
  }
}

BOOST_AUTO_TEST_CASE(merged_is_as_recorded_in_one) {
  auto parts = std::vector<histogram_counts>(3);
  auto whole = histogram_counts{};
  for (auto i = 0u; i < 3000; ++i) {
    parts[i % 3].add(log_normal(1, i));
    whole.add(log_normal(1, i));
  }
  auto merged = parts[2];
  merged.merge(parts[0]);
  merged.merge(parts[1]);
  BOOST_TEST(merged.count() == whole.count());
  BOOST_TEST(merged.sum() == whole.sum());
  for (auto k = 0; k <= 100; ++k)
    BOOST_TEST(merged.quantile(k / 100.) == whole.quantile(k / 100.));
  auto rest = whole.since(parts[1]);
  parts[0].merge(parts[2]);
  BOOST_TEST(rest.count() == 2000u);
  BOOST_TEST(rest.sum() == parts[0].sum());
  BOOST_TEST(rest.quantile(0.9) == parts[0].quantile(0.9));
}

BOOST_AUTO_TEST_CASE(how_many_are_at_most) {
  auto h = histogram_counts{};
  for (auto v = 1u; v <= 100; ++v)
    h.add(v);
  h.add(1'000'000);
  auto bounds = std::vector<uint64_t>{0, 40, 40, 980'000, 1'020'000, most};
  BOOST_TEST(
      (h.at_most(bounds) == std::vector<uint64_t>{0, 40, 40, 100, 101, 101}));
}

// -- recorders ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(threads_lose_nothing) {
  auto h = histogram{};
  auto threads = std::vector<std::thread>{};
  for (auto k = 0u; k < 8; ++k)
    threads.emplace_back([&, k] {
      auto mine = h.make_recorder();
      for (auto i = 0u; i < 20'000; ++i)
        mine.record(log_normal(k, i % 1000));
    });
  auto last = h.counts();
  for (auto i = 0; i < 200; ++i) { // only ever grows, while they record
    auto now = h.counts();
    BOOST_REQUIRE(now.since(last).count() == now.count() - last.count());
    last = std::move(now);
  }
  for (auto& t : threads)
    t.join();
  auto expected = histogram_counts{};
  for (auto k = 0u; k < 8; ++k)
    for (auto i = 0u; i < 1000; ++i)
      expected.add(log_normal(k, i), 20);
  auto got = h.counts();
  BOOST_TEST(got.count() == 160'000u);
  BOOST_TEST(got.sum() == expected.sum());
  for (auto k = 0; k <= 1000; ++k)
    BOOST_REQUIRE(got.quantile(k / 1000.) == expected.quantile(k / 1000.));
}

BOOST_AUTO_TEST_CASE(a_recorder_that_goes_leaves_what_it_recorded) {
  auto h = histogram{};
  for (auto i = 0; i < 10; ++i) {
    auto r = h.make_recorder();
    auto moved = std::move(r);
    moved.record(-5ns);
    moved.record(3ns);
  }
  BOOST_TEST(h.counts().count() == 20u);
  BOOST_TEST(h.counts().sum() == 30u);
}

BOOST_AUTO_TEST_CASE(recorders_at_work_have_cells_of_their_own) {
  auto h = histogram{};
  auto a = h.make_recorder();
  auto b = h.make_recorder();
  a.record(uint64_t{1});
  b.record(uint64_t{1});
  a = h.make_recorder();
  a.record(uint64_t{1});
  BOOST_TEST(h.counts().count() == 3u);
}

// -- windows ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_window_forgets) {
  auto all = histogram_counts{};
  auto w = histogram_window{1s, 3, t0};
  auto count = [&](duration at) { return w.update(all, t0 + at).count(); };
  all.add(1, 10);
  BOOST_TEST(count(0s) == 10u);
  BOOST_TEST(count(1s) == 10u);
  all.add(1, 5);
  BOOST_TEST(count(1900ms) == 15u);
  BOOST_TEST(count(2s) == 15u);
  all.add(1, 3);
  BOOST_TEST(count(2999ms) == 18u);
  BOOST_TEST(count(3s) == 8u);
  BOOST_TEST(count(4s) == 3u);
  BOOST_TEST(count(5s) == 0u);
}

BOOST_AUTO_TEST_CASE(a_window_after_a_long_silence_is_empty) {
  auto all = histogram_counts{};
  auto w = histogram_window{1s, 4, t0};
  all.add(1);
  BOOST_TEST(w.update(all, t0 + 100h).count() == 0u);
  all.add(1);
  BOOST_TEST(w.update(all, t0 + 100h).count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_ends_no_interval) {
  auto all = histogram_counts{};
  auto w = histogram_window{1s, 1, t0};
  all.add(1);
  BOOST_TEST(w.update(all, t0 - 100h).count() == 1u);
  BOOST_TEST(w.update(all, t0 + 999ms).count() == 1u);
  BOOST_TEST(w.update(all, t0 + 1s).count() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
