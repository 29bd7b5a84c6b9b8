#include "core/serving/rate_limiter.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <memory>

using namespace troupe;
using namespace std::chrono_literals;
using enum limited;
using enum limit_level;
using verdict = rate_limiter::verdict;

namespace {

constexpr auto t0 = time_point{} + 24h;

struct fixture {
  limits_table table;
  std::unique_ptr<rate_limiter> limiter;

  tenant_limits& limits() { return table.organisations["acme"].limits; }
  limits_table::key& key() { return table.organisations["acme"].keys["k"]; }

  // The first call makes the limiter.
  rate_limiter& l() {
    if (!limiter)
      limiter = std::make_unique<rate_limiter>(table, t0);
    return *limiter;
  }

  rate_limiter::handle who(std::string organisation = "acme",
                           std::string k = "k", std::string model = "m") {
    return l().resolve({organisation, k, model}, t0);
  }

  rate_limiter::admission ask(rate_limiter::handle& h, time_point now,
                              uint32_t prompt = 0, uint32_t most = 0) {
    return l().reserve(h, now, prompt, most);
  }

  // Spends one request if it is admitted.
  bool one(rate_limiter::handle& h, time_point now) {
    auto a = ask(h, now);
    a.held.settle(now, 0);
    return a.is == verdict::admitted;
  }
  uint32_t count(rate_limiter::handle& h, time_point now) {
    auto n = 0u;
    while (n < 10'000 && one(h, now))
      ++n;
    return n;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(rate_limiter_suite)

BOOST_FIXTURE_TEST_CASE(a_burst_and_then_the_rate, fixture) {
  limits().requests = {10, 1s, 3};
  auto h = who();
  BOOST_TEST(count(h, t0) == 3u);
  auto a = ask(h, t0);
  BOOST_TEST((a.is == verdict::wait));
  BOOST_TEST((a.retry_after == 100ms));
  BOOST_TEST((a.what == requests && a.level == organisation));
  BOOST_TEST(!one(h, t0 + 100ms - 1ns));
  BOOST_TEST(one(h, t0 + 100ms));
  BOOST_TEST(!one(h, t0 + 100ms));
  BOOST_TEST(count(h, t0 + 1h) == 3u);
}

// One third of a nanosecond's worth is not lost between two calls.
BOOST_FIXTURE_TEST_CASE(nothing_is_rounded_away, fixture) {
  limits().requests = {1, 3ns, 1};
  auto h = who();
  auto admitted = 0;
  for (auto k = 0; k < 30'000; ++k)
    admitted += one(h, t0 + k * 1ns);
  BOOST_TEST(admitted == 10'000);
}

BOOST_FIXTURE_TEST_CASE(a_week_of_small_steps_gives_what_one_step_gives,
                        fixture) {
  limits().input_tokens = {999'983, 61s, 1'000'000'000'000};
  auto h = who();
  ask(h, t0, 4'000'000'000u, 0).held.settle(t0, 0);
  auto before = l().status(h, t0)[1]->left;
  for (auto k = 1; k <= 10'000; ++k)
    l().status(h, t0 + k * 6'048'007ns);
  auto after = l().status(h, t0 + 10'000 * 6'048'007ns)[1]->left;
  // 999,983 for each 61 s, in 60.48007 s.
  BOOST_TEST(after - before == 60'480'070'000u * 999'983u / 61'000'000'000u);
}

BOOST_FIXTURE_TEST_CASE(a_clock_that_steps_back_gives_nothing, fixture) {
  limits().requests = {10, 1s, 5};
  auto h = who();
  BOOST_TEST(count(h, t0) == 5u);
  BOOST_TEST(count(h, t0 - 1h) == 0u);
  BOOST_TEST(count(h, t0) == 0u); // nor does its way up again
  BOOST_TEST(count(h, t0 + 200ms) == 2u);
  BOOST_TEST(count(h, time_point::min()) == 0u);
  BOOST_TEST(count(h, time_point::max()) == 5u);
  BOOST_TEST(count(h, time_point::max()) == 0u);
}

BOOST_FIXTURE_TEST_CASE(more_than_a_burst_is_refused_for_good, fixture) {
  limits().input_tokens = {1000, 1s, 100};
  limits().output_tokens = {1000, 1s, 50};
  auto h = who();
  BOOST_TEST((ask(h, t0, 100, 50).is == verdict::admitted));
  auto a = ask(h, t0, 101, 0);
  BOOST_TEST((a.is == verdict::never && a.what == input_tokens));
  a = ask(h, t0, 0, 51);
  BOOST_TEST((a.is == verdict::never && a.what == output_tokens));
  // Also where another bucket says to wait.
  ask(h, t0, 100, 0).held.settle(t0, 0);
  a = ask(h, t0, 1, 51);
  BOOST_TEST((a.is == verdict::never && a.what == output_tokens));
  BOOST_TEST((a.retry_after == duration{0}));
}

BOOST_FIXTURE_TEST_CASE(a_bucket_that_never_fills_again, fixture) {
  limits().requests = {0, 1s, 2};
  auto h = who();
  auto a = ask(h, t0);
  auto b = ask(h, t0);
  BOOST_TEST((b.is == verdict::admitted));
  BOOST_TEST((ask(h, t0).is == verdict::wait)); // they may be given back
  a.held.refund();
  b.held.settle(t0, 0);
  BOOST_TEST(one(h, t0));
  BOOST_TEST((ask(h, t0 + 1h).is == verdict::never));
}

BOOST_FIXTURE_TEST_CASE(all_levels_count, fixture) {
  limits().requests = {1, 1s, 6};
  key().limits.requests = {1, 1s, 4};
  key().models["m"].requests = {1, 1s, 2};
  table.organisations["acme"].keys["other"];
  auto m = who();
  auto n = who("acme", "k", "n");
  auto other = who("acme", "other");
  auto stranger = who("acme", "nowhere");
  BOOST_TEST(count(m, t0) == 2u);
  BOOST_TEST((ask(m, t0).level == model));
  BOOST_TEST(count(n, t0) == 2u);
  BOOST_TEST((ask(n, t0).level == limit_level::key));
  BOOST_TEST(one(other, t0));
  BOOST_TEST(one(stranger, t0));
  BOOST_TEST((ask(other, t0).level == organisation));
}

BOOST_FIXTURE_TEST_CASE(a_refusal_changes_nothing, fixture) {
  limits().requests = {1, 1s, 10};
  limits().input_tokens = {1, 1s, 1000};
  key().limits.output_tokens = {1, 1s, 10};
  auto h = who();
  auto first = ask(h, t0, 0, 10);
  for (auto k = 0; k < 100; ++k)
    BOOST_TEST((ask(h, t0, 10, 1).is == verdict::wait));
  auto s = l().status(h, t0);
  BOOST_TEST(s[0]->left == 9u);
  BOOST_TEST(s[1]->left == 1000u);
  BOOST_TEST(l().organisations(t0)[0].under_way == 1u);
}

BOOST_FIXTURE_TEST_CASE(requests_under_way_are_bounded, fixture) {
  limits().concurrency = 2;
  key().models["off"].concurrency = 0;
  auto h = who();
  auto a = ask(h, t0);
  auto b = ask(h, t0);
  auto c = ask(h, t0);
  BOOST_TEST((c.is == verdict::wait && c.what == concurrency));
  BOOST_TEST((c.retry_after == rate_limiter::busy_retry));
  a.held.settle(t0, 0);
  BOOST_TEST((ask(h, t0).is == verdict::admitted)); // goes at once
  { auto moved = std::move(b.held); }
  BOOST_TEST(!b.held);
  BOOST_TEST(l().organisations(t0)[0].under_way == 0u);
  auto off = who("acme", "k", "off");
  BOOST_TEST((ask(off, t0).is == verdict::never));
}

// -- reserve, settle, refund --------------------------------------------------

BOOST_FIXTURE_TEST_CASE(what_was_not_used_comes_back, fixture) {
  limits().output_tokens = {1, 1s, 100};
  auto h = who();
  auto a = ask(h, t0, 0, 80);
  BOOST_TEST(l().status(h, t0)[2]->left == 20u);
  a.held.settle(t0, 30);
  a.held.settle(t0, 30); // once is enough
  a.held.refund();
  BOOST_TEST(l().status(h, t0)[2]->left == 70u);
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_request_costs_what_it_did, fixture) {
  limits().requests = {1, 1h, 10};
  limits().input_tokens = {1, 1h, 100};
  limits().output_tokens = {1, 1h, 100};
  auto h = who();
  auto left = [&](int kind) { return l().status(h, t0)[kind]->left; };
  { auto a = ask(h, t0, 50, 50); }
  BOOST_TEST(left(0) == 10u);
  BOOST_TEST(left(1) == 100u);
  BOOST_TEST(left(2) == 100u);
  {
    auto a = ask(h, t0, 50, 50);
    a.held.begin(t0);
    a.held.begin(t0);
    BOOST_TEST(a.held.take_output(t0) == 1u);
    BOOST_TEST(a.held.take_output(t0, 6) == 6u);
  }
  BOOST_TEST(left(0) == 9u);
  BOOST_TEST(left(1) == 50u);
  BOOST_TEST(left(2) == 93u);
}

// A refund is not a second burst: while tokens are reserved, the bucket does
// not fill with others in their place.
BOOST_FIXTURE_TEST_CASE(late_refunds_and_late_use_give_no_second_burst,
                        fixture) {
  limits().output_tokens = {100, 1s, 100};
  auto h = who();
  auto a = ask(h, t0, 0, 100);
  auto later = t0 + 1h;
  BOOST_TEST((ask(h, later, 0, 1).is == verdict::wait));
  BOOST_TEST(a.held.take_output(later, 60) == 60u);
  a.held.refund();
  BOOST_TEST(l().status(h, later)[2]->left == 40u);
  BOOST_TEST((ask(h, later, 0, 41).is == verdict::wait));
}

BOOST_FIXTURE_TEST_CASE(a_stream_ends_at_the_token_that_the_budget_lacks,
                        fixture) {
  limits().output_tokens = {10, 1s, 20};
  auto h = who();
  auto a = ask(h, t0, 0, 5);
  auto given = 0;
  while (a.held.take_output(t0) == 1)
    ++given;
  BOOST_TEST(given == 20); // 5 that were reserved, 15 that were there
  BOOST_TEST(a.held.take_output(t0 + 350ms, 8) == 3u);
  BOOST_TEST(l().status(h, t0 + 350ms)[2]->left == 0u);
}

BOOST_FIXTURE_TEST_CASE(others_reservations_are_not_taken, fixture) {
  limits().output_tokens = {10, 1s, 20};
  auto h = who();
  auto a = ask(h, t0, 0, 5);
  auto b = ask(h, t0, 0, 12);
  BOOST_TEST(a.held.take_output(t0, 20) == 8u);
  BOOST_TEST(b.held.take_output(t0, 12) == 12u);
  BOOST_TEST(b.held.take_output(t0, 1) == 0u);
}

BOOST_FIXTURE_TEST_CASE(tokens_beyond_the_reserved_are_a_debt, fixture) {
  limits().output_tokens = {10, 1s, 20};
  auto h = who();
  ask(h, t0, 0, 5).held.settle(t0, 40);
  BOOST_TEST((ask(h, t0, 0, 1).retry_after == 2100ms));
  BOOST_TEST((ask(h, t0 + 2099ms, 0, 1).is == verdict::wait));
  BOOST_TEST((ask(h, t0 + 2100ms, 0, 1).is == verdict::admitted));
}

// -- unknown tenants ----------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(unknown_tenants_are_refused, fixture) {
  auto h = who("nobody");
  auto a = ask(h, t0);
  BOOST_TEST((a.is == verdict::never && a.unknown_tenant));
  BOOST_TEST(!a.held);
}

BOOST_FIXTURE_TEST_CASE(unknown_tenants_share_buckets, fixture) {
  table.unknown = unknown_tenants::share;
  table.unknown_limits.requests = {1, 1s, 5};
  auto a = who("a");
  auto b = who("b");
  BOOST_TEST(count(a, t0) == 5u);
  BOOST_TEST(count(b, t0) == 0u);
  BOOST_TEST(l().remembered() == 0u);
}

BOOST_FIXTURE_TEST_CASE(only_full_buckets_are_forgotten, fixture) {
  table.unknown = unknown_tenants::each;
  table.unknown_limits.requests = {1, 1s, 5};
  table.most_unknown = 2;
  { // none keeps its handle
    auto a = who("a");
    auto b = who("b");
    BOOST_TEST(count(a, t0) == 5u);
    BOOST_TEST(count(b, t0) == 5u);
  }
  BOOST_TEST(l().remembered() == 2u);
  auto c = who("c"); // shares with all others that there is no room for
  auto d = who("d");
  BOOST_TEST(count(c, t0) == 5u);
  BOOST_TEST(count(d, t0) == 0u);
  auto a = who("a");
  BOOST_TEST(count(a, t0) == 0u);
  // After 4 s of 5 nobody is full, after 5 s `b` is.
  BOOST_TEST(l().remembered() == 2u);
  l().resolve({"e", "", ""}, t0 + 4s);
  a = l().resolve({"a", "", ""}, t0 + 4s);
  BOOST_TEST(count(a, t0 + 4s) == 4u);
  auto e = l().resolve({"e", "", ""}, t0 + 5s);
  BOOST_TEST(l().remembered() == 2u);
  BOOST_TEST(count(e, t0 + 5s) == 5u);
  BOOST_TEST(count(c, t0 + 5s) == 5u); // the shared ones are apart
  a = l().resolve({"a", "", ""}, t0 + 5s);
  BOOST_TEST(count(a, t0 + 5s) == 1u);
}

// Whoever drew on the shared buckets has not a burst of its own to come.
BOOST_FIXTURE_TEST_CASE(being_remembered_gives_no_second_burst, fixture) {
  table.unknown = unknown_tenants::each;
  table.unknown_limits.requests = {1, 1h, 5};
  table.most_unknown = 1;
  {
    auto first = who("first"); // full, but in use
    auto x = who("x");
    BOOST_TEST(count(x, t0) == 5u);
  }
  auto x = who("x");
  BOOST_TEST(l().organisations(t0).back().name == "x");
  BOOST_TEST(count(x, t0) == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_flood_of_names_is_bounded, fixture) {
  table.unknown = unknown_tenants::each;
  table.unknown_limits.requests = {1, 1h, 5};
  table.most_unknown = 100;
  for (auto k = 0; k < 5000; ++k) {
    auto h = who("t" + std::to_string(k));
    one(h, t0);
  }
  BOOST_TEST(l().remembered() == 100u);
  auto h = who(std::string(rate_limiter::longest_name + 1, 'x'));
  BOOST_TEST(!one(h, t0)); // the shared ones, long empty
}

BOOST_FIXTURE_TEST_CASE(who_has_a_request_under_way_is_not_forgotten, fixture) {
  table.unknown = unknown_tenants::each;
  table.most_unknown = 1;
  auto a = rate_limiter::admission{};
  {
    auto h = who("a");
    a = ask(h, t0, 10, 10);
  }
  who("b");
  BOOST_TEST(l().organisations(t0)[0].name == "a");
  a.held.settle(t0, 10);
  who("b");
  BOOST_TEST(l().organisations(t0)[0].name == "b");
}

// -- the table changes --------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_new_table_reaches_old_handles, fixture) {
  limits().requests = {1, 1s, 2};
  auto h = who();
  auto later = who("late");
  BOOST_TEST(count(h, t0) == 2u);
  BOOST_TEST(ask(later, t0).unknown_tenant);
  limits().requests = {100, 1s, 200};
  table.organisations["late"];
  key().models["m"].requests = {1, 1h, 1};
  BOOST_TEST(l().configure(table, t0 + 1s).ok());
  BOOST_TEST(one(later, t0));
  BOOST_TEST(one(h, t0 + 1s)); // of the old rate, and no burst
  BOOST_TEST(!one(h, t0 + 1s));
  BOOST_TEST((ask(h, t0 + 2s).level == model));
  table.organisations.clear();
  BOOST_TEST(l().configure(table, t0 + 2s).ok());
  BOOST_TEST(ask(h, t0 + 2s).unknown_tenant);
}

BOOST_FIXTURE_TEST_CASE(removed_and_named_again_is_no_new_burst, fixture) {
  limits().requests = {1, 1h, 5};
  key().limits.requests = {1, 1h, 5};
  auto h = who();
  auto held = ask(h, t0);
  BOOST_TEST(count(h, t0) == 4u);
  auto whole = table;
  for (auto without : {limits_table{}, [&] {
                         auto t = whole;
                         t.organisations["acme"].keys.clear();
                         return t;
                       }()}) {
    BOOST_TEST(l().configure(without, t0).ok());
    BOOST_TEST(l().configure(whole, t0).ok());
    BOOST_TEST(!one(h, t0));
  }
  held.held.refund(); // of two tables ago
  BOOST_TEST(count(h, t0) == 1u);
}

BOOST_FIXTURE_TEST_CASE(promises_outlive_a_smaller_burst, fixture) {
  limits().output_tokens = {10, 1s, 100};
  auto h = who();
  auto a = ask(h, t0, 0, 80);
  limits().output_tokens = {20, 2s, 10};
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST((ask(h, t0, 0, 20).is == verdict::never));
  BOOST_TEST((ask(h, t0 + 1h, 0, 1).is == verdict::wait));
  BOOST_TEST(a.held.take_output(t0 + 1h, 90) == 80u);
  BOOST_TEST((ask(h, t0 + 1h, 0, 1).is == verdict::wait));
  BOOST_TEST((ask(h, t0 + 1h + 1s, 0, 10).is == verdict::admitted));
}

BOOST_FIXTURE_TEST_CASE(what_was_unlimited_is_counted_once_it_is, fixture) {
  limits();
  auto h = who();
  auto a = ask(h, t0, 0, 4'000'000'000u);
  auto b = ask(h, t0, 0, 4'000'000'000u);
  limits().output_tokens = {10, 1s, 10};
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST((ask(h, t0, 0, 1).is == verdict::wait));
  BOOST_TEST(b.held.take_output(t0, 100) == 100u);
  a.held.refund();
  b.held.refund();
  BOOST_TEST((ask(h, t0 + 1s, 0, 10).is == verdict::admitted));
  BOOST_TEST((ask(h, t0 + 1s, 0, 11).is == verdict::never));
}

BOOST_FIXTURE_TEST_CASE(unknown_and_known_are_one_tenant, fixture) {
  table.unknown = unknown_tenants::each;
  table.unknown_limits.requests = {1, 1h, 5};
  auto h = who("new");
  BOOST_TEST(count(h, t0) == 5u);
  table.organisations["new"].limits.requests = {1, 1h, 5};
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST(l().remembered() == 0u);
  BOOST_TEST(!one(h, t0));
  table.organisations.clear();
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST(!one(h, t0));
  table.unknown = unknown_tenants::refuse;
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST(ask(h, t0).unknown_tenant);
  table.unknown = unknown_tenants::each;
  BOOST_TEST(l().configure(table, t0).ok());
  BOOST_TEST(!one(h, t0));
}

BOOST_FIXTURE_TEST_CASE(a_table_that_cannot_be_is_not_taken, fixture) {
  limits().requests = {1, 1s, 2};
  auto h = who();
  auto wrong = table;
  wrong.organisations["acme"].keys["k"].models["m"].input_tokens = {1, 0s, 1};
  auto r = l().configure(wrong, t0);
  BOOST_TEST((r.failure().code == errc::invalid_argument));
  BOOST_TEST(r.failure().message
             == "acme > k > m: input_tokens: the period must be above 0");
  wrong = table;
  wrong.unknown_limits.requests = {largest_amount + 1, 1s, 1};
  BOOST_TEST(!check(wrong).ok());
  wrong.unknown_limits.requests = {1, 1s, largest_amount + 1};
  BOOST_TEST(!check(wrong).ok());
  BOOST_TEST(count(h, t0) == 2u);
}

BOOST_FIXTURE_TEST_CASE(the_largest_numbers_do_not_overflow, fixture) {
  auto most = rate_limit{largest_amount, duration::max(), largest_amount};
  limits() = {most, std::nullopt, most, std::nullopt};
  key().limits = {rate_limit{largest_amount, 1ns, largest_amount},
                  rate_limit{1, duration::max(), largest_amount},
                  rate_limit{1, 1ns, 0}, std::nullopt};
  auto h = l().resolve({"acme", "k", ""}, time_point::min());
  BOOST_TEST(one(h, time_point::min()));
  auto a = ask(h, time_point::max(), 4'294'967'295u, 0);
  BOOST_TEST((a.is == verdict::admitted));
  a.held.settle(time_point::max(), 4'294'967'295u); // a debt of the key
  BOOST_TEST((ask(h, time_point::max(), 0, 0).is == verdict::wait));
  auto s = l().status(h, time_point::max());
  BOOST_TEST(s[1]->left == largest_amount - 4'294'967'295u);
  BOOST_TEST((s[1]->full_in == duration::max()));
}

BOOST_AUTO_TEST_SUITE_END()
