#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <queue>

#include "core/base/random.hpp"
#include "core/serving/model_versions.hpp"

// Rollouts at 10 requests a second in virtual time. Answers of about 40 tokens,
// a TTFT of about 200 ms that spreads by a factor of e^0.8 and a TPOT of 10 ms
// that spreads by e^0.3; log-normal.

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 24h;

struct service {
  double failing = 0;
  double slower = 1; ///< times the latencies
};

struct rollout {
  service baseline;
  service canary;
  double share = 0.2;
  duration most = 1200s;
  /// 0: each request has a key of its own. Else that of one of so many clients,
  /// whose latencies differ by a factor of e, and one in ten of whom has half
  /// of its requests fail.
  uint32_t clients = 0;
  double tpot_spread = 0.3;
};

struct ending {
  version_event how = version_event::canary; ///< or promoted, or rolled back
  double seconds = 0;
  uint32_t bad = 0;  ///< failures of the canary
  uint32_t lost = 0; ///< requests that no version took
  std::string why;
};

duration ns(double x) {
  return duration{static_cast<int64_t>(x)};
}

class simulation {
public:
  simulation(uint64_t seed, const rollout& r) : seed_(seed), r_(r) {
    for (auto* name : {"old", "new"}) {
      auto v = *versions_.load(name, 1, t0);
      versions_.loaded(v, t0);
      versions_.warmed(v, t0);
      if (versions_.active() == 0)
        require(versions_.activate(v, t0, "first"));
      else
        require(versions_.start_canary(v, r.share, seed, t0));
    }
    versions_.take_events();
  }

  ending run() {
    auto now = t0;
    for (auto i = uint64_t{0}; now < t0 + r_.most; ++i) {
      now = t0 + i * 100ms;
      while (!under_way_.empty() && under_way_.top().at <= now)
        finish();
      if (i % 10 == 0)
        versions_.tick(now);
      if (decided(now))
        break;
      begin(i, now);
    }
    while (!under_way_.empty())
      finish();
    return end_;
  }

private:
  struct request {
    time_point at; ///< when it ends
    model_versions::ticket ticket;
    request_outcome outcome;
    bool operator<(const request& other) const { return at > other.at; }
  };

  static void require(const result<void>& r) { BOOST_REQUIRE(r.ok()); }

  double normal(uint64_t i, uint32_t draw) {
    auto u = 1 - random_unit(seed_, i, draw);
    auto v = random_unit(seed_, i, draw + 1);
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
  }

  void begin(uint64_t i, time_point now) {
    auto draw = random_unit(seed_, i, 7);
    auto client = static_cast<uint64_t>(draw * draw * r_.clients) + 1000000;
    auto t = versions_.route(std::to_string(r_.clients > 0 ? client : i));
    if (!t) {
      ++end_.lost;
      return;
    }
    auto& s = t->version == versions_.canary() ? r_.canary : r_.baseline;
    auto slower = s.slower;
    auto failing = s.failing;
    if (r_.clients > 0) {
      slower *= std::exp(normal(client, 20));
      failing = random_unit(seed_, client, 22) < 0.1 ? 0.5 : failing;
    }
    auto failed = random_unit(seed_, i, 9) < failing;
    if (failed && t->version == versions_.canary())
      ++end_.bad;
    auto ttft = ns(2e8 * std::exp(0.8 * normal(i, 0)) * slower);
    auto tpot = ns(1e7 * std::exp(r_.tpot_spread * normal(i, 2)) * slower);
    auto cut_off = random_unit(seed_, i, 8) < 0.3;
    under_way_.push({now + ttft + (failed ? 0 : 40) * tpot,
                     *t,
                     {failed, ttft, tpot, cut_off}});
  }

  void finish() {
    auto r = under_way_.top();
    under_way_.pop();
    BOOST_REQUIRE(versions_.complete(r.ticket, r.outcome, r.at));
  }

  bool decided(time_point now) {
    for (auto& e : versions_.take_events())
      if (e.what == version_event::promoted
          || e.what == version_event::rolled_back) {
        end_.how = e.what;
        end_.seconds = to_ms(now - t0) / 1000;
        end_.why = e.why;
      }
    return end_.how != version_event::canary;
  }

  uint64_t seed_;
  rollout r_;
  model_versions versions_;
  std::priority_queue<request> under_way_;
  ending end_;
};

struct summary {
  int promoted = 0;
  int rolled_back = 0;
  uint32_t lost = 0;
  double median_seconds = 0; ///< to the decision
  double p90_seconds = 0;
  double median_bad = 0;
};

summary simulate(int runs, const rollout& r, const char* name) {
  auto s = summary{};
  auto seconds = std::vector<double>{};
  auto bad = std::vector<uint32_t>{};
  for (auto k = 0; k < runs; ++k) {
    auto e = simulation{1000 + static_cast<uint64_t>(k), r}.run();
    s.promoted += e.how == version_event::promoted;
    s.rolled_back += e.how == version_event::rolled_back;
    s.lost += e.lost;
    seconds.push_back(e.how == version_event::canary ? 1e9 : e.seconds);
    bad.push_back(e.bad);
  }
  std::ranges::sort(seconds);
  std::ranges::sort(bad);
  s.median_seconds = seconds[seconds.size() / 2];
  s.p90_seconds = seconds[seconds.size() * 9 / 10];
  s.median_bad = bad[bad.size() / 2];
  BOOST_TEST_MESSAGE(name << ": of " << runs << " promoted " << s.promoted
                          << ", rolled back " << s.rolled_back << ", after "
                          << s.median_seconds << " s (90 %: " << s.p90_seconds
                          << "), bad requests " << s.median_bad);
  BOOST_TEST(s.lost == 0u);
  return s;
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_versions_sim)

BOOST_AUTO_TEST_CASE(one_that_fails_is_rolled_back) {
  for (auto share : {0.1, 0.2, 0.5})
    for (auto usual : {0., 0.001, 0.005}) {
      auto r = rollout{{usual, 1}, {usual + 0.05, 1}, share, 600s};
      auto s = simulate(60, r, "failing 5 %");
      BOOST_TEST(s.rolled_back == 60);
      BOOST_TEST(s.median_seconds <= 150);
      BOOST_TEST(s.median_bad <= 10);
    }
}

BOOST_AUTO_TEST_CASE(one_that_is_slower_is_rolled_back) {
  for (auto share : {0.1, 0.2, 0.5}) {
    auto s =
        simulate(100, {{0.001, 1}, {0.001, 1.3}, share, 900s}, "30 % slower");
    BOOST_TEST(s.rolled_back >= 95);
    BOOST_TEST(s.p90_seconds <= 300);
  }
  auto s = simulate(100, {{0.001, 1}, {0.001, 1.3}, 0.2, 900s, 0, 0.8},
                    "30 % slower, all spread by e^0.8");
  BOOST_TEST(s.rolled_back >= 95);
  BOOST_TEST(s.median_seconds <= 300);
}

// The stated rate is 5 %; so is that of wrong promotions.
BOOST_AUTO_TEST_CASE(an_equal_one_is_promoted) {
  auto s = simulate(1000, {{0.001, 1}, {0.001, 1}, 0.2, 900s}, "equal");
  BOOST_TEST(s.rolled_back <= 50);
  BOOST_TEST(s.promoted >= 940);
  BOOST_TEST(s.median_seconds <= 450);
}

BOOST_AUTO_TEST_CASE(a_better_one_is_promoted) {
  auto s = simulate(50, {{0.02, 1}, {0.001, 0.8}, 0.2, 900s}, "better");
  BOOST_TEST(s.promoted == 50);
}

// Where all versions fail as often, the canary is not blamed for it; with more
// failures, more requests are needed to tell.
BOOST_AUTO_TEST_CASE(an_equal_one_among_failures_is_not_blamed) {
  auto s = simulate(100, {{0.05, 1}, {0.05, 1}, 0.2, 300s}, "both fail");
  BOOST_TEST(s.rolled_back <= 5);
}

// Few clients, who send unequally much and are unlike each other: it is no
// evidence against a version that the wrong ones came to it.
BOOST_AUTO_TEST_CASE(clients_that_differ_raise_no_false_alarm) {
  for (auto clients : {3u, 30u, 300u}) {
    auto s = simulate(300, {{0.001, 1}, {0.001, 1}, 0.2, 300s, clients},
                      "equal, few clients");
    BOOST_TEST(s.rolled_back <= 15);
  }
}

BOOST_AUTO_TEST_SUITE_END()
