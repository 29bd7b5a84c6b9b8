#include "core/serving/latency_predictor.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

// A machine whose steps take what `cost` says, but for noise.
struct machine {
  step_cost cost = {2e6, 3e5, 40, 5e5, 200};
  double noise = 0.05; ///< relative, standard deviation
  uint64_t seed = 1;
  uint64_t step = 0;

  double exact(const step_shape& s) const {
    return cost.base + cost.prefill_token * s.prefill_tokens
           + cost.prefill_context * static_cast<double>(s.prefill_context)
           + cost.row * s.rows
           + cost.decode_context * static_cast<double>(s.decode_context);
  }

  duration run(const step_shape& s, double slower = 1) {
    auto sum = -6.; // of 12 uniform numbers: nearly normal
    for (uint32_t i = 0; i < 12; ++i)
      sum += random_unit(seed, step, i);
    ++step;
    auto t = exact(s) * slower * (1 + noise * sum);
    return duration{static_cast<int64_t>(t)};
  }

  // What a node does: rows decode always, a chunk is beside them at times.
  step_shape draw() {
    auto s = step_shape{};
    s.rows = 1 + static_cast<uint32_t>(random_bits(seed, step, 100) % 32);
    s.decode_context = s.rows * (50 + random_bits(seed, step, 101) % 800);
    if (random_bits(seed, step, 102) % 3 == 0) {
      auto at = random_bits(seed, step, 103) % 1000;
      s.prefill_tokens =
          16 * static_cast<uint32_t>(1 + random_bits(seed, step, 104) % 16);
      s.prefill_context = s.prefill_tokens * (at + s.prefill_tokens / 2);
    }
    return s;
  }

  double miss(const latency_predictor& p, const step_shape& s,
              double slower = 1) const {
    auto truth = exact(s) * slower;
    return static_cast<double>(p.predict(s).count()) / truth - 1;
  }
};

// Prompts alone, rows alone, and both.
const auto probes = {step_shape{256, 256 * 200, 0, 0},
                     step_shape{64, 64 * 700, 0, 0}, step_shape{0, 0, 1, 300},
                     step_shape{0, 0, 32, 32 * 500},
                     step_shape{128, 128 * 90, 16, 16 * 300}};

latency_predictor trained(machine& m, uint64_t steps) {
  auto p = latency_predictor{};
  for (uint64_t i = 0; i < steps; ++i) {
    auto s = m.draw();
    p.record(s, m.run(s));
  }
  return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(latency_predictor_suite)

BOOST_AUTO_TEST_CASE(before_any_step_the_prior_is_believed) {
  auto o = latency_options{};
  o.prior = {1000, 100, 1, 50, 2};
  auto p = latency_predictor{o};
  BOOST_TEST(p.observations() == 0u);
  BOOST_TEST(p.predict({10, 20, 3, 40}).count() == 1000 + 1000 + 20 + 150 + 80);
  BOOST_TEST((p.at_most({10, 20, 3, 40}) > p.predict({10, 20, 3, 40})));
  BOOST_TEST((latency_predictor{}.predict({0, 0, 1, 1}) > 0ns));
}

BOOST_AUTO_TEST_CASE(the_first_step_sets_the_scale) {
  for (auto took : {20us, 20000us}) {
    auto p = latency_predictor{};
    auto before = p.predict({0, 0, 16, 100});
    auto small = p.predict({0, 0, 1, 10});
    p.record({0, 0, 1, 10}, took);
    auto of_seen = to_ms(p.predict({0, 0, 1, 10})) / to_ms(took);
    BOOST_TEST(of_seen == 1, boost::test_tools::tolerance(1e-3));
    // Sixteen rows are as much dearer than one as they were believed to be.
    BOOST_TEST(to_ms(p.predict({0, 0, 16, 100})) / to_ms(took)
                   == to_ms(before) / to_ms(small),
               boost::test_tools::tolerance(0.05));
  }
}

BOOST_AUTO_TEST_CASE(a_linear_machine_is_learned) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    auto exact = machine{};
    exact.noise = 0;
    exact.seed = seed;
    auto p = trained(exact, 60);
    for (auto& s : probes)
      BOOST_TEST(std::abs(exact.miss(p, s)) < 0.01);
    auto noisy = machine{};
    noisy.seed = seed;
    p = trained(noisy, 500);
    for (auto& s : probes)
      BOOST_TEST(std::abs(noisy.miss(p, s)) < 0.1);
    BOOST_TEST(p.changes() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(steps_late_by_accident_hardly_count) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    auto m = machine{};
    m.seed = seed;
    auto p = trained(m, 50);
    for (uint64_t i = 0; i < 500; ++i) {
      auto s = m.draw();
      auto late = random_bits(9, i, static_cast<uint32_t>(seed)) % 20 == 0;
      p.record(s, m.run(s, late ? 50 : 1));
    }
    for (auto& s : probes)
      BOOST_TEST(std::abs(m.miss(p, s)) < 0.15);
    BOOST_TEST(p.changes() == 0u);
    // Nor does one of them make a difference at once.
    auto s = step_shape{0, 0, 8, 4000};
    auto before = to_ms(p.predict(s));
    p.record(s, m.run(s, 1000));
    BOOST_TEST(to_ms(p.predict(s)) < before * 1.05);
  }
}

BOOST_AUTO_TEST_CASE(a_change_of_speed_is_followed) {
  for (auto factor : {0.3, 0.7, 1.5, 4.}) {
    auto m = machine{};
    auto p = trained(m, 400);
    // Nothing but rows is seen since: prompts have changed all the same.
    for (auto i = 0; i < 60; ++i) {
      auto s = m.draw();
      s.prefill_tokens = s.prefill_context = 0;
      p.record(s, m.run(s, factor));
    }
    BOOST_TEST(p.changes() == 1u);
    for (auto& s : probes)
      BOOST_TEST(std::abs(m.miss(p, s, factor)) < 0.15);
  }
}

BOOST_AUTO_TEST_CASE(slow_drift_is_followed) {
  auto m = machine{};
  auto p = trained(m, 300);
  for (auto i = 1; i <= 2000; ++i) {
    auto s = m.draw();
    p.record(s, m.run(s, 1 + i * 1e-3));
  }
  for (auto& s : probes)
    BOOST_TEST(std::abs(m.miss(p, s, 3)) < 0.12);
}

// Prefill tokens and rows rise and fall together, contexts are multiples of
// them: sums are known, parts are not, and none may be negative or free.
BOOST_AUTO_TEST_CASE(collinear_counts_do_no_harm) {
  auto p = latency_predictor{};
  auto m = machine{};
  for (uint32_t i = 0; i < 20000; ++i) {
    auto k = 1 + i % 20;
    auto s = step_shape{10 * k, 1000 * k, k, 300 * k};
    p.record(s, m.run(s));
  }
  for (uint32_t k : {1, 7, 20, 40}) {
    auto s = step_shape{10 * k, 1000 * k, k, 300 * k};
    BOOST_TEST(std::abs(m.miss(p, s)) < 0.1);
  }
  for (auto& s : {step_shape{200, 0, 0, 0}, step_shape{0, 0, 20, 0}})
    BOOST_TEST((p.predict(s) > p.predict({}) * 1.05));
}

BOOST_AUTO_TEST_CASE(one_batch_size_does_not_make_larger_ones_free) {
  auto m = machine{};
  auto p = latency_predictor{};
  for (uint64_t i = 0; i < 1000; ++i) {
    auto s = step_shape{0, 0, 1, 20 + i % 500};
    p.record(s, m.run(s));
  }
  BOOST_TEST(std::abs(m.miss(p, {0, 0, 1, 200})) < 0.05);
  auto one = to_ms(p.predict({0, 0, 1, 200}));
  auto many = to_ms(p.predict({0, 0, 32, 32 * 200}));
  BOOST_TEST(many > 3 * one);
}

BOOST_AUTO_TEST_CASE(what_is_not_seen_for_long_stays_known) {
  auto m = machine{};
  auto p = trained(m, 500);
  for (uint64_t i = 0; i < 100000; ++i) {
    auto s = m.draw();
    s.prefill_tokens = s.prefill_context = 0;
    p.record(s, m.run(s));
  }
  for (auto& s : probes)
    BOOST_TEST(std::abs(m.miss(p, s)) < 0.15);
}

BOOST_AUTO_TEST_CASE(coverage_is_what_was_asked_for) {
  for (auto noise : {0.01, 0.05, 0.2}) {
    auto m = machine{};
    m.noise = noise;
    auto p = trained(m, 500);
    auto over = 0;
    for (auto i = 0; i < 4000; ++i) {
      auto s = m.draw();
      auto took = m.run(s);
      over += took > p.at_most(s) ? 1 : 0;
      p.record(s, took);
    }
    BOOST_TEST(over > 80);
    BOOST_TEST(over < 360);
  }
}

BOOST_AUTO_TEST_CASE(deviation_is_the_mean_miss) {
  auto m = machine{};
  auto p = trained(m, 500);
  auto before = p.deviation();
  for (auto i = 0; i < 300; ++i)
    p.record({0, 0, 8, 4000}, m.run({0, 0, 8, 4000}));
  auto mean = m.exact({0, 0, 8, 4000}) * 0.05 * 0.8; // of a normal's absolute
  BOOST_TEST((before > 0ns));
  BOOST_TEST(p.deviation().count() > mean * 0.5);
  BOOST_TEST(p.deviation().count() < mean * 2);
}

BOOST_AUTO_TEST_CASE(of_very_short_steps_some_will_do) {
  auto quick = machine{};
  quick.cost = {5e3, 300, 0.04, 500, 0.2}; // a thousandth
  auto p = latency_predictor{};
  auto recorded = uint64_t{0};
  constexpr auto steps = uint64_t{2000};
  for (uint64_t i = 0; i < steps; ++i) {
    auto s = quick.draw();
    s.prefill_tokens = static_cast<uint32_t>(s.prefill_context = 0);
    auto took = quick.run(s);
    if (p.wants(s, i)) {
      p.record(s, took);
      ++recorded;
    }
  }
  // All until it knows, then one of eight; and that is enough.
  auto rest = steps - latency_predictor::first;
  BOOST_TEST(recorded >= latency_predictor::first + rest / 8 - 1);
  BOOST_TEST(recorded <= latency_predictor::first + rest / 8 + 1);
  for (auto& s : {step_shape{0, 0, 1, 300}, step_shape{0, 0, 32, 32 * 500}})
    BOOST_TEST(std::abs(quick.miss(p, s)) < 0.1);
  // Those that take their time always count.
  auto slow = machine{};
  auto q = trained(slow, 100);
  for (uint64_t i = 0; i < 50; ++i)
    BOOST_TEST(q.wants(slow.draw(), i));
}

BOOST_AUTO_TEST_CASE(nonsense_is_ignored) {
  auto m = machine{};
  auto p = trained(m, 50);
  auto before = p.predict({16, 100, 4, 400});
  p.record({16, 100, 4, 400}, 0ns);
  p.record({16, 100, 4, 400}, -5ms);
  p.record({}, 5ms);
  BOOST_TEST(p.observations() == 50u);
  BOOST_TEST((p.predict({16, 100, 4, 400}) == before));
}

// Whatever it is told: finite, not negative, and monotone.
BOOST_AUTO_TEST_CASE(any_history_leaves_it_sane) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto draw = [&, i = uint64_t{0}](uint64_t below) mutable {
      return random_bits(seed, i++) % below;
    };
    auto p = latency_predictor{};
    for (auto i = 0; i < 400; ++i) {
      auto s = step_shape{};
      s.prefill_tokens = static_cast<uint32_t>(draw(3) * draw(5000));
      s.prefill_context = draw(2) * (draw(uint64_t{1} << (1 + draw(60))));
      s.rows = static_cast<uint32_t>(draw(2) * draw(300));
      s.decode_context = draw(uint64_t{1} << (1 + draw(60)));
      auto most = int64_t{1} << (1 + draw(61));
      p.record(s, duration{most / 1000 * static_cast<int64_t>(draw(1000))});
    }
    auto s = step_shape{1, 1, 1, 1};
    for (auto more : {step_shape{2, 1, 1, 1}, step_shape{1, 2000, 1, 1},
                      step_shape{1, 1, 2, 1}, step_shape{1, 1, 1, 2000},
                      step_shape{1, 1, std::numeric_limits<uint32_t>::max(),
                                 std::numeric_limits<uint64_t>::max()}})
      BOOST_REQUIRE((p.predict(more) >= p.predict(s)));
    BOOST_REQUIRE((p.predict(s) >= 0ns));
    BOOST_REQUIRE((p.at_most(s) >= p.predict(s)));
    for (auto c : {p.cost().base, p.cost().prefill_token, p.cost().row,
                   p.cost().prefill_context, p.cost().decode_context})
      BOOST_REQUIRE(std::isfinite(c) && c >= 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
