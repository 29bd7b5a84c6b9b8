#include "core/serving/response_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using enum response_cache::found;

namespace {

constexpr auto t0 = time_point{} + 24h;

cached_response text(std::string s) {
  return std::make_shared<const std::string>(std::move(s));
}

response_key key_of(const std::string& prompt, std::string tenant = "acme",
                    uint32_t version = 1) {
  return response_key::of({std::move(tenant), version, "be kind", "t=0"},
                          {"user", prompt});
}

struct fixture {
  response_cache_options options;
  std::optional<response_cache> made;

  fixture() { options.enabled = true; }

  response_cache& c() {
    if (!made)
      made.emplace(options);
    return *made;
  }
  auto look(const std::string& prompt, uint64_t caller = 1,
            time_point now = t0) {
    return c().lookup(key_of(prompt), caller, now);
  }
  void put(const response_key& key, std::string answer, time_point now = t0) {
    auto r = c().lookup(key, 1, now);
    BOOST_REQUIRE((r.is == lead));
    c().fill(r.flight, text(std::move(answer)), now);
  }
  void put(const std::string& prompt, std::string answer = "yes") {
    put(key_of(prompt), std::move(answer));
  }
  bool has(const response_key& key, time_point now = t0) {
    auto r = c().lookup(key, 1, now);
    if (r.is == lead)
      c().abandon(r.flight, now);
    return r.is == hit;
  }
  bool has(const std::string& prompt, time_point now = t0) {
    return has(key_of(prompt), now);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(response_cache_suite)

// -- keys ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_part_of_a_request_counts) {
  auto scope = response_scope{"acme", 1, "be kind", "t=0"};
  auto all = std::vector<response_key>{response_key::of(scope, {"user", "hi"})};
  auto changed = [&](auto change) {
    auto other = scope;
    change(other);
    all.push_back(response_key::of(other, {"user", "hi"}));
  };
  changed([](auto& s) { s.tenant = "other"; });
  changed([](auto& s) { s.version = 2; });
  changed([](auto& s) { s.system_prompt = ""; });
  changed([](auto& s) { s.sampling = "t=1"; });
  // What belongs to one part is not taken for another's.
  changed([](auto& s) { s.tenant = "acm", s.system_prompt = "ebe kind"; });
  changed([](auto& s) { s.system_prompt = "be kindt=0", s.sampling = ""; });
  for (auto& messages :
       std::vector<std::vector<std::string>>{{"user", "hi "},
                                             {"user", "Hi"},
                                             {"userhi"},
                                             {"user", "hi", ""},
                                             {"user", "h", "i"},
                                             {"hi", "user"},
                                             {}})
    all.push_back(response_key::of(scope, messages));
  auto identities = std::set<std::string>{};
  auto digests = std::set<uint64_t>{};
  for (auto& k : all) {
    identities.insert(k.identity);
    digests.insert(k.low);
  }
  BOOST_TEST(identities.size() == all.size());
  BOOST_TEST(digests.size() == all.size());
  BOOST_TEST(response_key::of(scope, {"user", "hi"}).low == all[0].low);
}

BOOST_AUTO_TEST_CASE(only_certain_answers_unless_asked) {
  BOOST_TEST(cacheable(0, false));
  BOOST_TEST(!cacheable(0.1, false));
  BOOST_TEST(cacheable(0.1, true));
}

// -- hits ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(off_by_default) {
  auto c = response_cache{};
  auto r = c.lookup(key_of("a"), 1, t0);
  BOOST_TEST((r.is == off));
  BOOST_TEST(c.fill(r.flight, text("x"), t0).empty());
  BOOST_TEST((c.lookup(key_of("a"), 1, t0).is == off));
}

BOOST_FIXTURE_TEST_CASE(what_was_stored_is_found, fixture) {
  put("a", "answer");
  auto r = look("a");
  BOOST_TEST((r.is == hit));
  BOOST_TEST(*r.answer == "answer");
  BOOST_TEST(!has("b"));
  BOOST_TEST(!has(key_of("a", "other")));
  BOOST_TEST(!has(key_of("a", "acme", 2)));
}

BOOST_FIXTURE_TEST_CASE(a_digest_that_collides_is_no_hit, fixture) {
  put("a", "answer of acme");
  auto forged = key_of("b", "mallory");
  forged.high = key_of("a").high;
  forged.low = key_of("a").low;
  auto r = c().lookup(forged, 1, t0);
  BOOST_TEST((r.is == lead));
  BOOST_TEST(has("a"));
  // Nor is it another's flight.
  auto a = look("c", 1);
  forged.high = key_of("c").high;
  forged.low = key_of("c").low;
  auto b = c().lookup(forged, 2, t0);
  BOOST_TEST((a.is == lead && b.is == lead));
  BOOST_TEST(c().fill(b.flight, text("of mallory"), t0).empty());
  BOOST_TEST((look("c", 3).is == wait));
  BOOST_TEST(
      (c().fill(a.flight, text("of acme"), t0) == std::vector<uint64_t>{3}));
  BOOST_TEST(*look("c").answer == "of acme");
  BOOST_TEST(c().stats().collisions > 0u);
}

BOOST_FIXTURE_TEST_CASE(answers_expire, fixture) {
  options.ttl = 10s;
  put("a");
  put("b");
  BOOST_TEST(has("a", t0 + 10s - 1ns));
  BOOST_TEST(has("a", t0 - 1h)); // a clock that steps back
  BOOST_TEST(!has("a", t0 + 10s));
  BOOST_TEST(c().entries() == 1u);
  c().sweep(t0 + 10s);
  BOOST_TEST(c().entries() == 0u);
  BOOST_TEST(c().bytes() == 0u);
  BOOST_TEST(c().stats().expired == 2u);
  options.ttl = duration::max();
  made.emplace(options);
  put("a");
  BOOST_TEST(has("a", t0 + 24h));
}

BOOST_FIXTURE_TEST_CASE(the_least_recently_used_goes, fixture) {
  put("a");
  auto each = c().bytes();
  options.budget = options.tenant_budget = 3 * each;
  made.emplace(options);
  put("a");
  put("b");
  put("c");
  BOOST_TEST(has("a"));
  put("d");
  BOOST_TEST(has("a"));
  BOOST_TEST(!has("b"));
  BOOST_TEST(has("c"));
  BOOST_TEST(has("d"));
  BOOST_TEST(c().bytes() == 3 * each);
}

BOOST_FIXTURE_TEST_CASE(a_tenant_evicts_itself_first, fixture) {
  put("a");
  auto each = c().bytes();
  options.budget = 10 * each;
  options.tenant_budget = 3 * each;
  made.emplace(options);
  put(key_of("a", "calm"), "yes");
  for (auto i = 0; i < 100; ++i)
    put(key_of(std::to_string(i % 10) + "x", "loud"), "y");
  BOOST_TEST(has(key_of("a", "calm")));
  BOOST_TEST(c().bytes_of("loud") <= 3 * each);
  BOOST_TEST(c().bytes_of("calm") == each);
  BOOST_TEST(c().bytes_of("nobody") == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_is_too_large_is_not_kept, fixture) {
  options.largest = 100;
  options.budget = 10'000;
  options.tenant_budget = 5'000;
  put("a", std::string(101, 'x'));
  BOOST_TEST(!has("a"));
  put("b", std::string(100, 'x'));
  put(key_of(std::string(6'000, 'p')), "x");
  BOOST_TEST(c().entries() == 1u);
  BOOST_TEST(has("b"));
}

BOOST_FIXTURE_TEST_CASE(tenants_and_versions_are_forgotten, fixture) {
  put(key_of("a", "x", 1), "1");
  put(key_of("a", "x", 2), "2");
  put(key_of("a", "y", 1), "3");
  auto flying = c().lookup(key_of("b", "x", 1), 1, t0);
  c().lookup(key_of("b", "x", 1), 2, t0);
  c().forget_tenant("x");
  BOOST_TEST(c().entries() == 1u);
  BOOST_TEST(c().bytes_of("x") == 0u);
  // Who asks now does not get what was computed before.
  auto again = c().lookup(key_of("b", "x", 1), 3, t0);
  BOOST_TEST((again.is == lead));
  BOOST_TEST(
      (c().fill(flying.flight, text("old"), t0) == std::vector<uint64_t>{2}));
  BOOST_TEST(c().entries() == 1u);
  c().fill(again.flight, text("new"), t0);
  BOOST_TEST(*c().lookup(key_of("b", "x", 1), 1, t0).answer == "new");
  c().forget_version(1);
  BOOST_TEST(c().entries() == 0u);
  BOOST_TEST(c().bytes() == 0u);
}

// -- single flight ------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(one_computes_and_the_others_wait, fixture) {
  auto a = look("a", 1);
  BOOST_TEST((a.is == lead));
  BOOST_TEST((look("a", 2).is == wait));
  BOOST_TEST((look("a", 3).is == wait));
  auto other = look("b", 4);
  BOOST_TEST((other.is == lead));
  auto third = look("a", 5);
  c().leave(third.flight, 5);
  BOOST_TEST(
      (c().fill(a.flight, text("x"), t0) == std::vector<uint64_t>{2, 3}));
  BOOST_TEST(c().fill(a.flight, text("y"), t0).empty());
  BOOST_TEST(*look("a").answer == "x");
  BOOST_TEST(c().fill(other.flight, text("z"), t0).empty());
}

BOOST_FIXTURE_TEST_CASE(who_waits_takes_over, fixture) {
  auto a = look("a", 1);
  look("a", 2);
  look("a", 3);
  auto next = c().abandon(a.flight, t0);
  BOOST_TEST(next->caller == 2u);
  BOOST_TEST(!c().abandon(a.flight, t0).has_value());
  BOOST_TEST(c().fill(a.flight, text("late"), t0).empty());
  BOOST_TEST((look("a", 4).is == wait));
  BOOST_TEST(
      (c().fill(next->flight, text("x"), t0) == std::vector<uint64_t>{3, 4}));
  BOOST_TEST(*look("a").answer == "x");
}

BOOST_FIXTURE_TEST_CASE(nobody_is_left, fixture) {
  auto a = look("a", 1);
  auto b = look("a", 2);
  c().leave(b.flight, 2);
  BOOST_TEST(!c().abandon(a.flight, t0).has_value());
  BOOST_TEST((look("a", 3).is == lead));
}

BOOST_FIXTURE_TEST_CASE(a_leader_has_its_time, fixture) {
  options.flight = 10s;
  auto a = look("a", 1);
  look("a", 2);
  BOOST_TEST((look("a", 3, t0 + 10s - 1ns).is == wait));
  auto b = look("a", 4, t0 + 10s);
  BOOST_TEST((b.is == lead));
  BOOST_TEST((look("a", 5, t0 + 19s).is == wait));
  BOOST_TEST(c().fill(a.flight, text("late"), t0 + 19s).empty());
  BOOST_TEST((c().fill(b.flight, text("x"), t0 + 19s)
              == std::vector<uint64_t>{2, 3, 5}));
}

BOOST_FIXTURE_TEST_CASE(leaders_that_are_gone_are_replaced, fixture) {
  options.flight = 10s;
  look("a", 1);
  look("a", 2);
  auto alone = look("b", 3);
  BOOST_TEST(c().sweep(t0 + 9s).empty());
  auto next = c().sweep(t0 + 10s);
  BOOST_REQUIRE(next.size() == 1u);
  BOOST_TEST(next[0].caller == 2u);
  BOOST_TEST(c().fill(alone.flight, text("x"), t0).empty());
  BOOST_TEST(c().entries() == 0u);
  BOOST_TEST(c().sweep(t0 + 19s).empty());
  BOOST_TEST(c().fill(next[0].flight, text("x"), t0).empty());
  BOOST_TEST(has("a"));
}

BOOST_FIXTURE_TEST_CASE(not_too_many_wait, fixture) {
  options.most_waiting = 2;
  auto a = look("a", 1);
  look("a", 2);
  look("a", 3);
  auto b = look("a", 4);
  BOOST_TEST((b.is == lead));
  BOOST_TEST(c().fill(b.flight, text("mine"), t0).empty());
  BOOST_TEST(
      (c().fill(a.flight, text("x"), t0) == std::vector<uint64_t>{2, 3}));
  BOOST_TEST(*look("a").answer == "x");
}

// Against a map and a list, through all that can happen: every caller has an
// answer or leads, answers are right, and budgets hold.
BOOST_FIXTURE_TEST_CASE(nothing_is_lost_whatever_happens, fixture) {
  options.budget = 8'000;
  options.tenant_budget = 4'000;
  options.flight = 5s;
  options.ttl = 20s;
  options.most_waiting = 3;
  struct leader {
    response_cache::flight_id flight;
    std::string prompt;
  };
  auto leading = std::map<uint64_t, leader>{};
  auto waiting = std::map<uint64_t, leader>{};
  auto draw = uint64_t{0};
  auto random = [&](uint64_t n) { return random_bits(8, draw++) % n; };
  auto now = t0;
  auto next_caller = uint64_t{1};
  auto took_over = [&](const response_cache::successor& s) {
    auto w = waiting.extract(s.caller);
    BOOST_REQUIRE(!w.empty());
    leading[s.caller] = {s.flight, w.mapped().prompt};
  };
  for (auto step = 0; step < 30'000; ++step) {
    now += duration{static_cast<int64_t>(random(200'000'000))};
    auto some = leading.begin();
    if (!leading.empty())
      std::advance(some, random(leading.size()));
    switch (random(8)) {
    case 0:
    case 1:
      if (!leading.empty()) {
        auto l = some->second;
        leading.erase(some);
        for (auto w : c().fill(l.flight, text("of " + l.prompt), now))
          BOOST_REQUIRE(waiting.extract(w).mapped().prompt == l.prompt);
      }
      break;
    case 2:
      if (!leading.empty()) {
        auto l = some->second;
        leading.erase(some);
        if (auto s = c().abandon(l.flight, now))
          took_over(*s);
      }
      break;
    case 3:
      if (!waiting.empty()) {
        c().leave(waiting.begin()->second.flight, waiting.begin()->first);
        waiting.erase(waiting.begin());
      }
      break;
    case 4:
      for (auto& s : c().sweep(now))
        took_over(s);
      break;
    default: {
      auto tenant = std::string{static_cast<char>('a' + random(4))};
      auto prompt = tenant + std::to_string(random(12));
      auto k = key_of(prompt, tenant);
      auto r = c().lookup(k, next_caller, now);
      if (r.is == hit)
        BOOST_REQUIRE(*r.answer == "of " + prompt);
      else if (r.is == lead)
        leading[next_caller] = {r.flight, prompt};
      else
        waiting[next_caller] = {r.flight, prompt};
      ++next_caller;
    }
    }
    BOOST_REQUIRE(c().bytes() <= options.budget);
    auto sum = uint64_t{0};
    for (auto* tenant : {"a", "b", "c", "d"}) {
      BOOST_REQUIRE(c().bytes_of(tenant) <= options.tenant_budget);
      sum += c().bytes_of(tenant);
    }
    BOOST_REQUIRE(sum == c().bytes());
  }
  // Those who still wait become leaders, one after the other.
  for (auto k = 0; k < 10 && !waiting.empty(); ++k) {
    now += 10s;
    for (auto& s : c().sweep(now))
      took_over(s);
  }
  BOOST_TEST(waiting.empty());
  BOOST_TEST(c().stats().hits > 1000u);
  BOOST_TEST(c().stats().evicted > 100u);
  BOOST_TEST(c().stats().waited > 100u);
}

BOOST_AUTO_TEST_SUITE_END()
