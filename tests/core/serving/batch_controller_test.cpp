#include "core/serving/batch_controller.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

batch_controller_options usual() {
  auto o = batch_controller_options{};
  o.slo = {1s, 50ms};
  o.most = {64, 512};
  return o;
}

// A node that is always asked for more than it can do: `decoding` sequences,
// and prompts without end. A step takes 5 ms, 0.1 ms a prompt token, 0.4 ms a
// row, and a little for what they attend to.
struct node {
  batch_controller control{usual()};
  uint32_t decoding = 20;
  uint32_t waiting = 100000;
  uint32_t oldest = 200; ///< tokens of the oldest prompt
  duration oldest_wait = {};
  double slower = 1;
  double noise = 0.05;
  uint64_t seed = 1;

  batch_limits limits = {};
  uint64_t steps = 0;
  duration took = {};
  step_shape last = {};

  duration time_of(const step_shape& s) {
    auto sum = -6.;
    for (uint32_t i = 0; i < 12; ++i)
      sum += random_unit(seed, steps, i);
    auto ms = 5 + 0.1 * s.prefill_tokens + 0.4 * s.rows
              + 2e-5 * static_cast<double>(s.decode_context)
              + 2e-6 * static_cast<double>(s.prefill_context);
    return duration{
        static_cast<int64_t>(1e6 * ms * slower * (1 + noise * sum))};
  }

  void step() {
    auto s = step_shape{};
    s.rows = std::min(decoding, limits.rows);
    s.decode_context = s.rows * (200 + random_bits(seed, steps, 50) % 20);
    auto room = s.rows > 0 ? limits.prefill_tokens : 512;
    s.prefill_tokens = std::min(waiting, room);
    s.prefill_context =
        s.prefill_tokens
        * (random_bits(seed, steps, 51) % 200 + s.prefill_tokens / 2);
    took = time_of(s);
    last = s;
    ++steps;
    control.record(s, took);
    auto d = batch_demand{};
    d.decoding = decoding;
    d.decode_context = decoding * uint64_t{210};
    d.waiting_tokens = waiting;
    d.oldest_wait = oldest_wait;
    d.oldest_tokens = std::min(oldest, waiting);
    limits = control.next(d);
  }

  void run(int n) {
    for (; n > 0; --n)
      step();
  }
};

// Steps over the TPOT, and what the chunk does, in n steps.
struct account {
  int over = 0;
  int changes = 0;
  uint32_t least = ~0u;
  uint32_t most = 0;
};

account watch(node& n, int steps) {
  auto a = account{};
  for (; steps > 0; --steps) {
    auto before = n.limits;
    n.step();
    a.over += n.took > 50ms ? 1 : 0;
    a.changes += n.limits == before ? 0 : 1;
    a.least = std::min(a.least, n.limits.prefill_tokens);
    a.most = std::max(a.most, n.limits.prefill_tokens);
  }
  return a;
}

} // namespace

BOOST_AUTO_TEST_SUITE(batch_controller_suite)

BOOST_AUTO_TEST_CASE(a_damped_limit_falls_at_once_and_rises_slowly) {
  auto l = damped_limit{16};
  BOOST_TEST(l.value() == 16u);
  auto times = 0;
  for (; l.value() < 160; ++times)
    l.follow(170, 1000);
  BOOST_TEST(times >= 20);
  BOOST_TEST(times <= 40);
  l.follow(70, 1000);
  BOOST_TEST(l.value() == 64u);
  l.follow(0, 1000);
  BOOST_TEST(l.value() == 16u);
}

BOOST_AUTO_TEST_CASE(a_damped_limit_waits_longer_the_more_it_was_wrong) {
  auto l = damped_limit{1};
  auto changes = 0;
  for (auto i = 0; i < 1000; ++i) {
    auto before = l.value();
    l.follow(20 + (i / 4) % 2, 1000);
    changes += i > 100 && l.value() != before ? 1 : 0;
  }
  BOOST_TEST(l.value() >= 20u);
  BOOST_TEST(changes == 0);
  // Of long waves it must not follow each.
  for (auto i = 0; i < 2000; ++i) {
    auto before = l.value();
    l.follow((i / 20) % 2 > 0 ? 24 : 20, 1000);
    changes += l.value() != before ? 1 : 0;
  }
  BOOST_TEST(changes <= 8);
}

BOOST_AUTO_TEST_CASE(only_what_was_seen_holds_a_limit_back_from_exploring) {
  auto l = damped_limit{16};
  l.follow(500, 100);
  BOOST_TEST(l.value() == 96u);
  l.follow(500, 240);
  BOOST_TEST(l.value() == 240u);
}

BOOST_AUTO_TEST_CASE(before_data_it_begins_small) {
  auto c = batch_controller{usual()};
  auto l = c.next({50, 10000, 5000, 0ms, 500});
  BOOST_TEST(l.rows == 1u);
  BOOST_TEST(l.prefill_tokens == 16u);
}

BOOST_AUTO_TEST_CASE(limits_settle_within_the_slo) {
  for (uint64_t seed = 1; seed <= 8; ++seed)
    for (auto noise : {0.02, 0.05, 0.1}) {
      auto n = node{};
      n.seed = seed;
      n.noise = noise;
      n.oldest = 100;
      n.run(300);
      // 5 + 8 + 0.1 a token + 0.1: at most 350, less for the margin.
      BOOST_TEST(n.limits.prefill_tokens > 200u);
      BOOST_TEST(n.limits.prefill_tokens <= 352u);
      BOOST_TEST(n.limits.rows >= 20u);
      auto a = watch(n, 1000);
      BOOST_TEST(a.over <= 80);
      BOOST_TEST(a.changes <= 60);
      BOOST_TEST(a.most <= a.least * 1.35);
    }
}

BOOST_AUTO_TEST_CASE(accidents_leave_the_limits_alone) {
  auto n = node{};
  n.oldest = 100;
  n.run(300);
  auto before = n.limits.prefill_tokens;
  for (auto i = 0; i < 50; ++i) {
    n.slower = 50;
    n.step();
    n.slower = 1;
    n.run(19);
    BOOST_TEST(n.limits.prefill_tokens > before * 0.75);
    BOOST_TEST(n.limits.prefill_tokens < before * 1.25);
  }
}

BOOST_AUTO_TEST_CASE(a_change_of_speed_is_followed_down_and_up) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    auto n = node{};
    n.seed = seed;
    n.oldest = 50;
    n.run(300);
    auto before = n.limits.prefill_tokens;
    n.slower = 2;
    n.run(30);
    BOOST_TEST(n.limits.prefill_tokens < before / 2);
    BOOST_TEST(watch(n, 300).over <= 40);
    n.slower = 1;
    n.run(100);
    BOOST_TEST(n.limits.prefill_tokens > before * 0.8);
    BOOST_TEST(watch(n, 300).over <= 40);
  }
}

BOOST_AUTO_TEST_CASE(more_rows_leave_less_for_prompts) {
  auto n = node{};
  n.oldest = 50;
  n.run(300);
  auto few = n.limits.prefill_tokens;
  n.decoding = 60;
  n.run(100);
  BOOST_TEST(n.last.rows == 60u);
  BOOST_TEST(n.limits.prefill_tokens < few - 100);
  BOOST_TEST(watch(n, 300).over <= 30);
}

BOOST_AUTO_TEST_CASE(rows_stay_within_what_the_tpot_allows) {
  auto n = node{};
  n.slower = 3; // 15 ms, and 1.22 a row: 28, less for the margin
  n.decoding = 64;
  n.waiting = 0;
  n.run(300);
  BOOST_TEST(n.limits.rows > 16u);
  BOOST_TEST(n.limits.rows <= 28u);
  BOOST_TEST(watch(n, 300).over <= 30);
}

BOOST_AUTO_TEST_CASE(a_batch_size_never_seen_is_not_taken_as_free) {
  auto n = node{};
  n.decoding = 3;
  n.waiting = 48;
  n.run(500);
  // Fifty more rows would cost 20 ms, as it happens; nobody has seen any.
  BOOST_TEST(n.limits.rows <= 5u);
  BOOST_TEST(n.limits.prefill_tokens <= 96u);
  // Step by step it gets there.
  n.decoding = 64;
  n.waiting = 100000;
  auto before = n.limits;
  for (auto i = 0; i < 60; ++i) {
    n.step();
    BOOST_TEST(n.limits.rows <= before.rows * 3 / 2 + 1);
    BOOST_TEST(n.limits.prefill_tokens <= before.prefill_tokens * 3 / 2 + 16);
    before = n.limits;
  }
  BOOST_TEST(n.limits.rows == 64u);
}

// A row costs a hundredth of what is believed of it at first.
BOOST_AUTO_TEST_CASE(a_wrong_belief_does_not_keep_a_batch_small) {
  auto o = usual();
  o.latency.prior = {1e6, 1e5, 10, 1e6, 50};
  auto c = batch_controller{o};
  auto rows = 1u;
  for (auto i = 0; i < 1500; ++i) {
    c.record({0, 0, rows, rows * 100}, 30ms + rows * 300us);
    rows = c.next({64, 6400, 0, 0ms, 0}).rows;
  }
  BOOST_TEST(rows > 40u);
}

BOOST_AUTO_TEST_CASE(no_prompt_starves_where_rows_alone_take_too_long) {
  auto n = node{};
  n.slower = 30;
  n.run(200);
  BOOST_TEST(n.limits.rows == 1u);
  BOOST_TEST(n.limits.prefill_tokens == 16u);
}

BOOST_AUTO_TEST_CASE(a_late_prompt_is_hurried_within_the_stretch) {
  auto n = node{};
  n.oldest = 100;
  n.decoding = 40;
  n.run(300);
  BOOST_TEST(!n.control.late());
  auto calm = n.limits.prefill_tokens;
  // At 50 ms for some 250 tokens, 3,000 take 0.6 s.
  n.oldest = 3000;
  n.step();
  BOOST_TEST(!n.control.late());
  n.oldest_wait = 600ms;
  n.step();
  BOOST_TEST(n.control.late());
  BOOST_TEST(n.limits.prefill_tokens > calm);
  n.run(100);
  BOOST_TEST(n.limits.prefill_tokens > calm * 1.3);
  auto over = 0;
  for (auto i = 0; i < 200; ++i) {
    n.step();
    over += n.took > 100ms ? 1 : 0;
  }
  BOOST_TEST(over <= 20);
  // Not before there is time to spare.
  n.oldest = 1200;
  n.run(3);
  BOOST_TEST(n.control.late());
  n.oldest_wait = 0ms;
  n.step();
  BOOST_TEST(!n.control.late());
  BOOST_TEST(n.limits.prefill_tokens < calm * 1.3);
}

BOOST_AUTO_TEST_CASE(without_rows_nothing_changes) {
  auto n = node{};
  n.run(300);
  auto before = n.limits.prefill_tokens;
  n.decoding = 0;
  n.oldest_wait = 10s;
  n.run(100);
  BOOST_TEST(n.limits.prefill_tokens == before);
  BOOST_TEST(!n.control.late());
}

BOOST_AUTO_TEST_CASE(any_report_leaves_limits_in_bounds) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto draw = [&, i = uint64_t{0}]() mutable {
      auto bits = random_bits(seed, i++);
      return bits >> (bits % 64);
    };
    auto small = [&] { return static_cast<uint32_t>(draw()); };
    auto time = [&] { return duration{static_cast<int64_t>(draw() / 2)}; };
    auto o = usual();
    o.most = {small() % 100, small() % 1000};
    o.granularity = small() % 40;
    o.slo = {time(), time()};
    auto c = batch_controller{o};
    auto unit = std::max(o.granularity, 1u);
    for (auto i = 0; i < 200; ++i) {
      c.record({small(), draw(), small(), draw()}, time());
      auto wait = draw() % 2 > 0 ? time() : -time();
      auto l = c.next({small(), draw(), small(), wait, small()});
      BOOST_REQUIRE(l.rows >= 1 && l.rows <= std::max(o.most.rows, 1u));
      BOOST_REQUIRE(l.prefill_tokens >= unit);
      BOOST_REQUIRE(l.prefill_tokens <= std::max(o.most.prefill_tokens, unit));
      BOOST_REQUIRE(l.prefill_tokens % unit == 0);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
