// States behind the last norm, and their mean.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "core/engine/mean_pool.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/core/parallel/led_group.hpp"
#include "tests/core/parallel/rank_threads.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

using tiny = testing::tiny_model_options;

std::vector<tiny> architectures() {
  auto all = std::vector<tiny>(5);
  all[1].architecture = "qwen3moe";
  all[1].experts = 4;
  all[1].qk_norm = true;
  all[1].head_dim = 32;
  all[2].architecture = "deepseek2";
  all[2].latent = true;
  all[2].experts = 6;
  all[2].shared_experts = 2;
  all[2].router_bias = true;
  for (auto i : {3, 4}) {
    all[i].post_norms = all[i].tied = true;
    all[i].layers = 3;
  }
  all[3].architecture = "gemma2";
  all[4].architecture = "gemma3";
  all[4].qk_norm = true;
  return all;
}

batch_row wants_states(page_table& table, std::span<const token_id> ids) {
  auto row = batch_row{&table, ids, false};
  row.want_states = true;
  return row;
}

/// States of all tokens, and their mean, computed in chunks.
struct pooled {
  floats states; ///< [ids, hidden]
  mean_pool pool;
};

pooled pool(engine& e, page_table& table, std::span<const token_id> ids,
            uint32_t chunk) {
  auto p = pooled{};
  for (auto i = size_t{0}; i < ids.size(); i += chunk) {
    auto n = std::min(size_t{chunk}, ids.size() - i);
    auto row = wants_states(table, ids.subspan(i, n));
    BOOST_TEST(step(e, {&row, 1}).empty());
    auto some = e.states();
    BOOST_REQUIRE(some.size() == n * e.weights().params.hidden);
    p.states.insert(p.states.end(), some.begin(), some.end());
    p.pool.add(some, e.weights().params.hidden);
  }
  return p;
}

pooled pool(engine& e, kv_dtype kv, std::span<const token_id> ids,
            uint32_t chunk = 64) {
  auto s = sequence{e, kv, static_cast<uint32_t>(ids.size())};
  return pool(e, s.table, ids, chunk);
}

doubles mean_of(const std::vector<doubles>& states) {
  auto mean = doubles(states.front().size());
  for (auto& s : states)
    for (size_t i = 0; i < mean.size(); ++i)
      mean[i] += s[i] / static_cast<double>(states.size());
  return mean;
}

void check(const std::shared_ptr<const model>& m, std::span<const token_id> ids,
           double allowed) {
  auto e = engine{m, {1, 64, nullptr, activation_type::f32}};
  auto got = pool(e, kv_dtype::f32, ids);
  auto want = reference_states(*m, kv_dtype::f32, ids);
  BOOST_TEST(worst(got.states, want) < allowed);
  auto mean = mean_of(want);
  BOOST_TEST(worst(got.pool.mean(), {mean}) < allowed);
  auto length = 0.0;
  for (auto x : mean)
    length += x * x;
  for (auto& x : mean)
    x /= std::sqrt(length);
  auto unit = unit_vector(got.pool.mean(), 0);
  BOOST_REQUIRE(unit.ok());
  BOOST_TEST(worst(*unit, {mean}) < allowed);
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_states)

BOOST_AUTO_TEST_CASE(states_agree_with_the_reference) {
  for (auto& o : architectures())
    BOOST_TEST_CONTEXT(o.architecture) {
      auto m = testing::tiny_model(o);
      // Experts' choices hang by a thread.
      check(m, text(3, 37, m->params.vocab),
            10 * tolerance(kv_dtype::f32, activation_type::f32));
    }
}

BOOST_AUTO_TEST_CASE(those_of_the_bundled_model_do_as_well) {
  auto m = load_model(TROUPE_SOURCE_DIR "/models/troupe-demo.gguf");
  BOOST_REQUIRE(m.ok());
  check(*m, text(5, 12, (*m)->params.vocab),
        tolerance(kv_dtype::f32, activation_type::f32));
}

BOOST_AUTO_TEST_CASE(chunks_threads_and_company_do_not_matter) {
  for (auto& o : architectures())
    for (auto a : all_activations)
      BOOST_TEST_CONTEXT(o.architecture << " " << static_cast<int>(a)) {
        auto q = o;
        q.type = a == activation_type::f32 ? dtype::f32 : dtype::q8_0;
        auto m = testing::tiny_model(q);
        auto ids = text(4, 43, m->params.vocab);
        auto one = engine{m, {1, 64, nullptr, a}};
        auto want = pool(one, kv_dtype::f16, ids);
        auto mean = want.pool.mean();
        for (auto chunk : {1u, 7u, 16u}) {
          auto got = pool(one, kv_dtype::f16, ids, chunk);
          BOOST_TEST(same_bits(got.states, want.states));
          BOOST_TEST(same_bits(got.pool.mean(), mean));
        }
        // Beside one that decodes, one that wants all logits, and another one
        // that is embedded.
        auto e = engine{m, {3, 64, nullptr, a}};
        auto mine = sequence{e, kv_dtype::f16, 160};
        auto others = std::vector<sequence>{};
        for (auto i = 0; i < 3; ++i)
          others.emplace_back(e, kv_dtype::f16, 160);
        auto p = mean_pool{};
        auto hidden = size_t{m->params.hidden};
        for (size_t i = 0; i < ids.size(); i += 5) {
          auto n = std::min(size_t{5}, ids.size() - i);
          auto rows = std::vector<batch_row>{
              {&others[0].table, std::span{ids}.subspan(i, 1)},
              wants_states(others[1].table, std::span{ids}.subspan(i / 2, 3)),
              wants_states(mine.table, std::span{ids}.subspan(i, n)),
              {&others[2].table, std::span{ids}.first(4), true, true}};
          BOOST_TEST(step(e, rows).size() == 5 * size_t{m->params.vocab});
          BOOST_REQUIRE(e.states().size() == (3 + n) * hidden);
          p.add(e.states().subspan(3 * hidden), hidden);
        }
        BOOST_TEST(same_bits(p.mean(), mean));
      }
}

BOOST_AUTO_TEST_CASE(who_wants_none_gets_none) {
  auto m = testing::tiny_model();
  auto e = engine{m, {1, 64}};
  auto ids = text(4, 8, m->params.vocab);
  BOOST_TEST(e.states().empty());
  pool(e, kv_dtype::f16, ids);
  BOOST_TEST(e.states().size() == 8u * m->params.hidden);
  alone(e, kv_dtype::f16, ids);
  BOOST_TEST(e.states().empty());
}

BOOST_AUTO_TEST_CASE(a_row_may_want_logits_as_well) {
  auto m = testing::tiny_model();
  auto e = engine{m, {1, 64}};
  auto ids = text(4, 20, m->params.vocab);
  auto logits = alone(e, kv_dtype::f16, ids);
  auto states = pool(e, kv_dtype::f16, ids).states;
  auto s = sequence{e, kv_dtype::f16, 20};
  auto row = batch_row{&s.table, ids, true, true, true};
  BOOST_TEST(same_bits(step(e, {&row, 1}), logits));
  BOOST_TEST(same_bits(e.states(), states));
}

// -- ranks --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(ranks_have_the_states_of_one) {
  auto m = testing::tiny_model();
  auto ids = text(3, 50, m->params.vocab);
  auto o = group_options{};
  o.kv = kv_dtype::f16;
  auto e = engine{m, options_of(o)};
  auto want = pool(e, o.kv, ids).states;
  for (auto kind : {rank_kind::tensor, rank_kind::sequence})
    for (auto sends : {false, true})
      for (auto chunk : {1u, 20u, 50u})
        BOOST_TEST_CONTEXT(static_cast<int>(kind)
                           << " " << sends << " " << chunk) {
          auto g = led_group{m, kind, 2, o, sends};
          auto blocks = block_pool{g.arena(), 8};
          auto table = page_table{};
          BOOST_REQUIRE(table.grow(blocks, 50));
          auto got = pool(g.rank_0(), table, ids, chunk).states;
          if (kind == rank_kind::sequence)
            BOOST_TEST(same_bits(got, want));
          else
            BOOST_TEST(relative(got, want) < 0.02); // float16 KV rounds
          for (auto& end : g.end())
            BOOST_TEST(!end, to_string(end));
        }
}

// Beside logits, which are gathered on their own.
BOOST_AUTO_TEST_CASE(ranks_gather_logits_and_states_of_one_step) {
  auto m = testing::tiny_model();
  auto ids = text(3, 30, m->params.vocab);
  auto o = group_options{};
  auto compute = [&](engine& e, const std::shared_ptr<block_arena>& arena) {
    auto blocks = block_pool{arena, 8};
    auto a = page_table{}, b = page_table{};
    BOOST_REQUIRE(a.grow(blocks, 30) && b.grow(blocks, 30));
    auto rows = std::vector<batch_row>{{&a, std::span{ids}.first(11)},
                                       wants_states(b, ids)};
    auto all = step(e, rows);
    all.insert(all.end(), e.states().begin(), e.states().end());
    return all;
  };
  auto e = engine{m, options_of(o)};
  auto want = compute(e, make_block_arena(e.layout(o.kv)));
  BOOST_TEST(want.size() == m->params.vocab + 30u * m->params.hidden);
  auto g = led_group{m, rank_kind::sequence, 2, o};
  BOOST_TEST(same_bits(compute(g.rank_0(), g.arena()), want));
}

// -- the mean -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_mean_does_not_depend_on_how_states_came) {
  auto states = testing::random_floats(7, 9 * 5, 1e3f);
  auto whole = mean_pool{};
  whole.add(states, 5);
  BOOST_TEST(whole.count() == 9u);
  auto parts = mean_pool{};
  for (auto [from, n] : {std::pair{0, 1}, {1, 3}, {4, 0}, {4, 5}})
    parts.add(std::span{states}.subspan(from * 5, n * 5), 5);
  BOOST_TEST(same_bits(whole.mean(), parts.mean()));
  for (size_t i = 0; i < 5; ++i) {
    auto sum = 0.0;
    for (size_t t = 0; t < 9; ++t)
      sum += double{states[t * 5 + i]};
    BOOST_TEST(whole.mean()[i] == static_cast<float>(sum / 9));
  }
  BOOST_TEST(mean_pool{}.mean().empty());
}

BOOST_AUTO_TEST_CASE(a_unit_vector_may_be_cut) {
  auto x = floats{3, 0, 4, 12};
  BOOST_TEST((*unit_vector(x, 0) == floats{3 / 13.f, 0, 4 / 13.f, 12 / 13.f}));
  BOOST_TEST((*unit_vector(x, 4) == *unit_vector(x, 0)));
  BOOST_TEST((*unit_vector(x, 3) == floats{0.6f, 0, 0.8f}));
  BOOST_TEST((*unit_vector(x, 1) == floats{1}));
  BOOST_TEST((unit_vector(x, 5).failure().code == errc::invalid_argument));
  // Squares that a float could not hold.
  BOOST_TEST((*unit_vector(floats{0, 3e38f}, 0) == floats{0, 1}));
  BOOST_TEST((*unit_vector(floats{-1e-40f}, 0) == floats{-1}));
}

BOOST_AUTO_TEST_CASE(what_has_no_direction_is_an_error) {
  auto inf = std::numeric_limits<float>::infinity();
  for (auto& x : {floats{0, 0}, floats{1, inf}, floats{1, -inf},
                  floats{1, std::nanf("")}, floats{}})
    BOOST_TEST((unit_vector(x, 0).failure().code == errc::bad_file));
  BOOST_TEST((unit_vector(floats{0, 1}, 1).failure().code == errc::bad_file));
}

BOOST_AUTO_TEST_SUITE_END()
