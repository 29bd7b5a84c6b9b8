#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/random.hpp"
#include "core/serving/rate_limiter.hpp"

// Over any window no tenant spends more than its burst and what its rate gives
// in the window, whatever callers do, in one thread and in many.

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 24h;

// `n` were spent, not before `from` and not after `to`, in ns.
struct event {
  int64_t from = 0;
  int64_t to = 0;
  uint64_t n = 0;
};

// The most by which any window's events exceed rate * window, times the rate's
// period. A window [s, e] holds the events that are in it for certain. For each
// s it is that of an event's `from`, for each e an event's `to`.
__int128 largest_excess(std::vector<event> events, const rate_limit& rate) {
  std::ranges::sort(events, {}, &event::to);
  auto starts = std::vector<int64_t>{};
  for (auto& e : events)
    starts.push_back(e.from);
  std::ranges::sort(starts);
  auto most = __int128{0};
  for (auto s : starts) {
    auto spent = __int128{0};
    for (auto& e : events) {
      if (e.from < s)
        continue;
      spent += e.n;
      auto excess = spent * rate.per.count()
                    - static_cast<__int128>(e.to - s) * rate.amount;
      most = std::max(most, excess);
    }
  }
  return most;
}

bool holds(const std::vector<event>& events, const rate_limit& rate) {
  return largest_excess(events, rate)
         <= static_cast<__int128>(rate.burst) * rate.per.count();
}

// What one caller does, by random numbers: reserves, begins, takes tokens,
// settles and cancels, up to four requests at a time.
struct caller {
  struct request {
    rate_limiter::reservation held;
    uint32_t prompt = 0;
    uint32_t most = 0;
    uint32_t taken = 0;
    bool begun = false;
  };

  uint64_t seed;
  rate_limiter* limiter;
  rate_limiter::handle who;
  uint64_t draw = 0;
  std::vector<request> open = {};
  std::array<std::vector<event>, 3> spent = {}; // by `limited`

  uint32_t random(uint32_t below) {
    return static_cast<uint32_t>(random_bits(seed, draw++) % below);
  }

  // `clock` says what time it is before, and after.
  template <class Clock>
  void step(Clock clock) {
    auto from = int64_t{clock()};
    auto now = time_point{duration{from}};
    if (open.size() < 4 && random(3) == 0) {
      auto r = request{{}, random(40), random(40)};
      auto a = limiter->reserve(who, now, r.prompt, r.most);
      if (a.is == rate_limiter::verdict::admitted) {
        r.held = std::move(a.held);
        open.push_back(std::move(r));
      }
      return;
    }
    if (open.empty())
      return;
    auto i = open.begin() + random(static_cast<uint32_t>(open.size()));
    auto tokens = 0u;
    auto began = !i->begun;
    auto ends = false;
    switch (random(5)) {
    case 0: // gives back what it holds, which is not spent
      began = false;
      ends = true;
      i->held.refund();
      break;
    case 1:
      tokens = i->taken < i->most ? random(i->most - i->taken + 1) : 0;
      ends = true;
      i->held.settle(now, i->taken + tokens);
      break;
    case 2:
      i->held.begin(now);
      break;
    default: // also beyond what it reserved
      tokens = i->held.take_output(now, random(20));
    }
    auto to = int64_t{clock()};
    if (began) {
      i->begun = true;
      spent[0].push_back({from, to, 1});
      spent[1].push_back({from, to, i->prompt});
    }
    i->taken += tokens;
    if (tokens > 0)
      spent[2].push_back({from, to, tokens});
    if (ends)
      open.erase(i);
  }
};

using events = std::array<std::vector<event>, 3>;

void add(events& to, const events& from) {
  for (size_t k = 0; k < to.size(); ++k)
    to[k].insert(to[k].end(), from[k].begin(), from[k].end());
}

void check_all(const events& all, const tenant_limits& limits) {
  BOOST_TEST(holds(all[0], *limits.requests));
  BOOST_TEST(holds(all[1], *limits.input_tokens));
  BOOST_TEST(holds(all[2], *limits.output_tokens));
}

uint64_t total(const std::vector<event>& of) {
  auto n = uint64_t{0};
  for (auto& e : of)
    n += e.n;
  return n;
}

// An organisation with two keys, each with limits of its own.
limits_table two_keys(const tenant_limits& above, const tenant_limits& below) {
  auto t = limits_table{};
  auto& o = t.organisations["o"];
  o.limits = above;
  o.keys["0"].limits = below;
  o.keys["1"].limits = below;
  return t;
}

const auto organisation_limits =
    tenant_limits{rate_limit{900, 1s, 30}, rate_limit{20'011, 1s, 300},
                  rate_limit{7'001, 700ms, 250}, 100};
const auto key_limits =
    tenant_limits{rate_limit{700, 1s, 10}, rate_limit{15'013, 1s, 120},
                  rate_limit{9'001, 1300ms, 90}, 5};

} // namespace

BOOST_AUTO_TEST_SUITE(rate_limiter_property)

// The check itself sees one token too many.
BOOST_AUTO_TEST_CASE(one_token_too_many_is_seen) {
  auto rate = rate_limit{10, 1s, 5};
  auto all = std::vector<event>{{0, 0, 5}, {100'000'000, 100'000'000, 1}};
  BOOST_TEST(holds(all, rate));
  all.back().to = 99'999'999;
  all.back().from = 99'999'999;
  BOOST_TEST(!holds(all, rate));
}

// With a clock that stands, jumps on, and steps back.
BOOST_AUTO_TEST_CASE(no_window_holds_more_than_burst_and_rate) {
  for (auto seed = uint64_t{1}; seed <= 12; ++seed) {
    auto limiter = rate_limiter{two_keys(organisation_limits, key_limits), t0};
    auto now = t0.time_since_epoch().count();
    auto latest = now;
    auto callers = std::vector<caller>{};
    for (auto k = 0u; k < 6; ++k) {
      auto who = tenant{"o", k % 2 ? "1" : "0", ""};
      callers.push_back({seed * 100 + k, &limiter, limiter.resolve(who, t0)});
    }
    for (auto n = uint64_t{0}; n < 6000; ++n) {
      auto x = random_bits(seed, n, 1);
      now += x % 7 == 0 ? static_cast<int64_t>(x >> 8) % 900'000 : 0;
      now += x % 997 == 0 ? 50'000'000 : 0;
      now -= x % 499 == 0 ? 3'000'000 : 0;
      latest = std::max(latest, now);
      // What counts is the latest time seen; callers may be told an older one.
      auto first = true;
      callers[x % callers.size()].step(
          [&] { return std::exchange(first, false) ? now : latest; });
    }
    auto whole = events{};
    for (auto k = 0u; k < 2; ++k) {
      auto of_key = events{};
      for (auto c = k; c < callers.size(); c += 2)
        add(of_key, callers[c].spent);
      check_all(of_key, key_limits);
      add(whole, of_key);
    }
    check_all(whole, organisation_limits);
    BOOST_TEST(total(whole[2]) > 500u);
  }
}

BOOST_AUTO_TEST_CASE(nor_while_threads_compete) {
  for (auto seed = uint64_t{1}; seed <= 6; ++seed) {
    auto limiter = rate_limiter{two_keys(organisation_limits, key_limits), t0};
    auto clock = std::atomic{t0.time_since_epoch().count()};
    auto callers = std::vector<caller>{};
    for (auto k = 0u; k < 8; ++k) {
      auto who = tenant{"o", k % 2 ? "1" : "0", ""};
      callers.push_back({seed * 100 + k, &limiter, limiter.resolve(who, t0)});
    }
    auto threads = std::vector<std::thread>{};
    for (auto& c : callers)
      threads.emplace_back([&] {
        for (auto n = 0; n < 1000; ++n) {
          clock += 20'000;
          c.step([&] { return clock.load(); });
        }
      });
    for (auto& t : threads)
      t.join();
    auto whole = events{};
    for (auto k = 0u; k < 2; ++k) {
      auto of_key = events{};
      for (auto c = k; c < callers.size(); c += 2)
        add(of_key, callers[c].spent);
      check_all(of_key, key_limits);
      add(whole, of_key);
    }
    check_all(whole, organisation_limits);
    BOOST_TEST(total(whole[2]) > 250u);
    callers.clear();
    BOOST_TEST(limiter.organisations(t0)[0].under_way == 0u);
  }
}

// While tenants come and go and the table changes: nothing is lost.
BOOST_AUTO_TEST_CASE(all_is_given_back_while_the_table_changes) {
  auto table = two_keys(organisation_limits, key_limits);
  table.unknown = unknown_tenants::each;
  table.unknown_limits = key_limits;
  table.most_unknown = 3;
  auto without = table;
  without.organisations.clear();
  auto limiter = rate_limiter{table, t0};
  auto clock = std::atomic{t0.time_since_epoch().count()};
  auto threads = std::vector<std::thread>{};
  for (auto k = 0u; k < 4; ++k)
    threads.emplace_back([&, k] {
      for (auto n = 0u; n < 300; ++n) {
        auto name = k % 2 ? "o" : "u" + std::to_string(n % 7);
        auto who = limiter.resolve({name, "0", ""}, t0);
        auto c = caller{k * 1000 + n, &limiter, who};
        for (auto i = 0; i < 20; ++i) {
          clock += 20'000;
          c.step([&] { return clock.load(); });
        }
      }
    });
  for (auto n = 0; n < 200; ++n) {
    auto ok = limiter.configure(n % 2 ? table : without,
                                time_point{duration{clock.load()}});
    BOOST_TEST(ok.ok());
  }
  for (auto& t : threads)
    t.join();
  auto later = time_point{duration{clock.load()}} + 1h;
  BOOST_TEST(limiter.configure(table, later).ok());
  BOOST_TEST(limiter.remembered() <= 7u);
  for (auto& o : limiter.organisations(later)) {
    BOOST_TEST(o.under_way == 0u);
    BOOST_TEST(o.limits[2]->left == o.limits[2]->burst);
  }
}

BOOST_AUTO_TEST_SUITE_END()
