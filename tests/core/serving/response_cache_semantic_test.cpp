#include "core/serving/response_cache_semantic.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using enum semantic_cache::found;

namespace {

constexpr auto t0 = time_point{} + 24h;
using vector = std::vector<float>;

cached_response text(std::string s) {
  return std::make_shared<const std::string>(std::move(s));
}

double normal(uint64_t seed, uint64_t i) {
  auto u = 1 - random_unit(seed, i, 0);
  auto v = random_unit(seed, i, 1);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

vector direction(uint64_t seed, size_t n = 64) {
  auto x = vector{};
  for (size_t i = 0; i < n; ++i)
    x.push_back(static_cast<float>(normal(seed, i)));
  return x;
}

double cosine(const vector& a, const vector& b) {
  auto ab = 0.;
  auto aa = 0.;
  auto bb = 0.;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// A direction that has that cosine with `to`.
vector near(const vector& to, double similarity, uint64_t seed) {
  auto other = direction(seed, to.size());
  auto c = cosine(to, other);
  auto length = [](const vector& x) {
    auto s = 0.;
    for (auto v : x)
      s += v * v;
    return std::sqrt(s);
  };
  auto x = to;
  auto a = length(to);
  auto b = length(other);
  auto across = std::sqrt(1 - c * c);
  auto sine = std::sqrt(1 - similarity * similarity);
  for (size_t i = 0; i < x.size(); ++i) {
    auto t = to[i] / a;
    x[i] = static_cast<float>(similarity * t
                              + sine * (other[i] / b - c * t) / across);
  }
  return x;
}

struct fixture {
  semantic_options options;
  response_scope scope{"acme", 1, "be kind", "t=0"};
  std::optional<semantic_cache> made;

  fixture() { options.error = 0.05; }

  semantic_cache& c() {
    if (!made)
      made.emplace(options);
    return *made;
  }
  void put(const vector& x, std::string answer = "yes",
           std::string prompt = "how is it") {
    c().store(scope, std::move(prompt), x, text(std::move(answer)), t0);
  }
  auto look(const vector& x, double random = 0.5, time_point now = t0,
            const char* prompt = "what about it") {
    return c().lookup(scope, prompt, x, random, now);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(response_cache_semantic)

// -- rows ---------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_nearest_is_found_as_by_floats, fixture) {
  for (auto n : {1u, 2u, 7u, 63u, 64u, 65u, 384u}) {
    made.reset();
    auto all = std::vector<vector>{};
    for (auto k = 0u; k < 50; ++k) {
      all.push_back(direction(k + 1, n));
      put(all.back(), std::to_string(k));
    }
    options.least_similarity = 0.5;
    for (auto k = 0u; k < 50; ++k) {
      auto x = direction(1000 + k, n);
      auto best = -1.;
      for (auto& y : all)
        best = std::max(best, cosine(x, y));
      auto r = look(x);
      if (best > options.least_similarity + 0.01) {
        BOOST_REQUIRE(r.answer);
        BOOST_TEST(std::abs(r.similarity - best) < 0.01);
        auto found = cosine(x, all[std::stoul(*r.answer)]);
        BOOST_TEST(std::abs(found - best) < 0.01);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_has_no_direction) {
  auto nan = std::numeric_limits<float>::quiet_NaN();
  auto inf = std::numeric_limits<float>::infinity();
  for (auto& x : std::vector<vector>{{}, {0, 0}, {nan, 1}, {inf, 1}})
    BOOST_TEST(quantise_direction(x).values.empty());
  auto tiny = quantise_direction(vector{1e-38f, -1e-38f});
  BOOST_TEST(tiny.values[0] == 127);
  BOOST_TEST(tiny.values[1] == -127);
  auto huge = quantise_direction(vector{3e38f, 3e38f});
  BOOST_TEST(std::isfinite(huge.scale));
  BOOST_TEST(std::abs(huge.scale * 127 - std::sqrt(0.5)) < 1e-6);
}

BOOST_FIXTURE_TEST_CASE(other_sizes_and_nothing_are_no_hit, fixture) {
  put(direction(1));
  BOOST_TEST((look(direction(1, 32)).is == nothing));
  BOOST_TEST((look({}).is == nothing));
  put(direction(2, 32)); // is not stored beside the others
  BOOST_TEST(c().entries() == 1u);
  BOOST_TEST((look(direction(1)).is == explore));
}

// -- scopes -------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(scopes_never_meet, fixture) {
  auto x = direction(1);
  put(x);
  for (auto other : {response_scope{"other", 1, "be kind", "t=0"},
                     response_scope{"acme", 2, "be kind", "t=0"},
                     response_scope{"acme", 1, "be rude", "t=0"},
                     response_scope{"acme", 1, "be kind", "t=1"}})
    BOOST_TEST((c().lookup(other, "what about it", x, 0.5, t0).is == nothing));
  c().forget_tenant("other");
  c().forget_version(2);
  BOOST_TEST((look(x).is == explore));
  c().forget_version(1);
  BOOST_TEST((look(x).is == nothing));
  BOOST_TEST(c().entries() == 0u);
}

BOOST_FIXTURE_TEST_CASE(off_by_default, fixture) {
  options.error = 0;
  put(direction(1));
  BOOST_TEST(c().entries() == 0u);
  BOOST_TEST((look(direction(1)).is == nothing));
}

BOOST_FIXTURE_TEST_CASE(what_means_something_else_is_not_near, fixture) {
  auto x = direction(1);
  put(x, "yes", "is it safe to eat 3");
  BOOST_TEST((look(x, 0.5, t0, "can one eat 3 safely").is == explore));
  BOOST_TEST((look(x, 0.5, t0, "is it not safe to eat 3").is == nothing));
  BOOST_TEST((look(x, 0.5, t0, "is it safe to eat 4").is == nothing));
}

// -- the bound on errors ------------------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_is_known_of_a_new_entry) {
  auto r = hit_record{};
  BOOST_TEST(r.least_chance(1) == 0);
  r.add(0.9, true);
  BOOST_TEST(r.least_chance(0.85) == 0); // said nothing of what is further off
  BOOST_TEST(r.least_chance(0.95) > 0);
  BOOST_TEST(r.least_chance(0.95) < 0.5);
  r.add(2, true);
  r.add(-1, false);
  r.add(std::nan(""), false);
  BOOST_TEST(r.least_chance(-1) == 0);
}

BOOST_AUTO_TEST_CASE(bounds_of_a_chance_hold) {
  for (auto p : {0.5, 0.9, 0.99}) {
    auto above = 0;
    for (auto run = 0u; run < 500; ++run) {
      auto r = hit_record{};
      for (auto i = 0u; i < 60; ++i)
        r.add(0.9, random_unit(run, i) < p);
      above += r.least_chance(0.9) > p;
    }
    // (1 - e) times a bound that fails with e.
    BOOST_TEST(above <= 50);
  }
}

BOOST_AUTO_TEST_CASE(much_is_learnt_and_the_old_is_forgotten) {
  auto r = hit_record{};
  for (auto i = 0; i < 5000; ++i)
    r.add(0.9, true);
  BOOST_TEST(r.least_chance(0.9) > 0.95);
  for (auto i = 0; i < 3000; ++i)
    r.add(0.9, false);
  BOOST_TEST(r.least_chance(0.9) < 0.05);
}

// Entries of all kinds: near requests have the same answer always, never, the
// more often the nearer they are, or nearly often enough at any distance. Of
// the requests near each kind, wrong answers stay within the bound; entries
// that are safe come to be used, and those that never are right are not.
BOOST_FIXTURE_TEST_CASE(errors_stay_within_the_bound, fixture) {
  constexpr auto kinds = 4u;
  constexpr auto of_each = 10u;
  constexpr auto requests = 600u;
  for (auto error : {0.02, 0.05, 0.1}) {
    options.error = error;
    made.reset();
    auto wrong = std::array<uint32_t, kinds>{};
    auto hits = wrong;
    for (auto k = 0u; k < kinds * of_each; ++k) {
      auto x = direction(k + 1);
      put(x, std::to_string(k));
      for (auto i = 0u; i < requests; ++i) {
        auto seed = uint64_t{k} * 1000 + i;
        auto s = 0.82 + 0.17 * random_unit(seed, 1);
        auto nearer = 1 / (1 + std::exp(-60 * (s - 0.84)));
        auto chance = std::array{1., 0., nearer, 1 - 1.4 * error}[k % kinds];
        auto same = random_unit(seed, 2) < chance;
        auto r = look(near(x, s, seed + 7), random_unit(seed, 3));
        BOOST_REQUIRE(r.answer);
        if (r.is == explore) {
          c().observe(r.entry, r.similarity, same);
          continue;
        }
        ++hits[k % kinds];
        wrong[k % kinds] += !same;
      }
    }
    auto all = double{requests} * of_each;
    for (auto k = 0u; k < kinds; ++k) {
      BOOST_TEST_MESSAGE("bound " << error << ", kind " << k << ": hits "
                                  << hits[k] / all << ", wrong "
                                  << wrong[k] / all);
      BOOST_TEST(wrong[k] <= error * all);
    }
    BOOST_TEST(hits[1] == 0u);
    BOOST_TEST(hits[0] > (error < 0.05 ? 0.3 : 0.6) * all);
    BOOST_TEST(wrong[3] > 0u); // the bound is not held by never risking it
  }
}

// -- room ---------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_least_recently_used_goes, fixture) {
  options.most_entries = 10;
  options.most_of_tenant = 6;
  for (auto k = 1u; k <= 6; ++k)
    put(direction(k));
  look(direction(1));
  put(direction(7));
  BOOST_TEST(c().entries() == 6u);
  BOOST_TEST((look(direction(1)).is == explore));
  BOOST_TEST((look(direction(2)).is == nothing));
  for (auto k = 3u; k <= 7; ++k)
    BOOST_TEST((look(direction(k)).is == explore));
  scope.tenant = "other";
  for (auto k = 1u; k <= 6; ++k)
    put(direction(k));
  BOOST_TEST(c().entries() == 10u);
  for (auto k = 1u; k <= 6; ++k)
    BOOST_TEST((look(direction(k)).is == explore));
  scope.tenant = "acme";
  BOOST_TEST((look(direction(7)).is == explore));
  BOOST_TEST((look(direction(3)).is == nothing));
}

BOOST_FIXTURE_TEST_CASE(bytes_are_limited, fixture) {
  put(direction(1));
  auto each = c().bytes();
  BOOST_TEST(each > semantic_cache::overhead);
  made.reset();
  options.budget = 5 * each;
  options.tenant_budget = 3 * each;
  for (auto k = 1u; k <= 4; ++k)
    put(direction(k));
  BOOST_TEST(c().entries() == 3u);
  BOOST_TEST((look(direction(1)).is == nothing));
  scope.tenant = "beta";
  for (auto k = 1u; k <= 3; ++k)
    put(direction(k));
  BOOST_TEST(c().entries() == 5u);
  BOOST_TEST(c().bytes() == 5 * each);
  // Neither goes for one that is larger than all of them together.
  put(direction(9), std::string(10 * each, 'x'));
  BOOST_TEST(c().entries() == 5u);
  c().forget_tenant("beta");
  c().forget_tenant("acme");
  BOOST_TEST(c().bytes() == 0u);
}

BOOST_FIXTURE_TEST_CASE(entries_expire, fixture) {
  options.ttl = 10s;
  put(direction(1));
  auto r = look(direction(1), 0.5, t0 + 10s - 1ns);
  BOOST_TEST((r.is == explore));
  BOOST_TEST((look(direction(1), 0.5, t0 + 10s).is == nothing));
  BOOST_TEST(c().entries() == 0u);
  put(direction(1));
  put(direction(2));
  c().sweep(t0 + 10s - 1ns);
  BOOST_TEST(c().entries() == 2u);
  c().sweep(t0 + 10s);
  BOOST_TEST(c().entries() == 0u);
  BOOST_TEST(c().bytes() == 0u);
  c().observe(r.entry, 0.9, true); // is gone
}

// Rows move when others go: each still leads to its own answer.
BOOST_FIXTURE_TEST_CASE(rows_keep_their_answers, fixture) {
  options.most_of_tenant = 20;
  for (auto k = 1u; k <= 500; ++k) {
    put(direction(k), std::to_string(k));
    auto some = k - random_bits(1, k) % std::min(k, 20u);
    auto r = look(direction(some));
    if (r.answer)
      BOOST_REQUIRE(*r.answer == std::to_string(some));
  }
  BOOST_TEST(c().entries() == 20u);
}

BOOST_AUTO_TEST_SUITE_END()
