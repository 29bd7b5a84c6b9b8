#include "tests/core/engine/engine_fixture.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

std::shared_ptr<const model> model_of(uint32_t layers) {
  auto p = hparams{};
  p.vocab = 61;
  p.context = 160;
  p.hidden = 64;
  p.layers = layers;
  p.heads = 4;
  p.kv_heads = 2;
  p.head_dim = 16;
  p.ffn = 96;
  p.rope_dim = 16;
  auto o = random_model_options{};
  o.type = dtype::q8_0;
  return random_model::make(p, o);
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_step_in_parts)

BOOST_AUTO_TEST_CASE(a_step_in_parts_gives_the_same_bits) {
  auto m = model_of(5);
  auto ids = text(14, 40);
  for (auto threads : {1u, 2u})
    for (auto kv : all_kv_types) {
      auto e = engine{m, {threads, 64}};
      auto want = alone(e, kv, ids, 24);
      for (auto layers : {1u, 2u, 3u, 4u, 5u, 99u}) {
        auto s = sequence{e, kv, 40};
        auto got = floats{};
        for (auto i = 0u; i < 40; i += 24) {
          auto row = batch_row{&s.table,
                               std::span{ids}.subspan(i, std::min(24u, 40 - i)),
                               true, true};
          BOOST_REQUIRE(e.begin({&row, 1}).ok());
          auto computed = 0u;
          while (auto n = e.advance(layers)) {
            BOOST_TEST(n == std::min(layers, 5 - computed));
            computed += n;
            BOOST_TEST(s.table.length() == i);
          }
          BOOST_TEST(computed == 5u);
          auto logits = e.finish();
          got.insert(got.end(), logits.begin(), logits.end());
        }
        BOOST_TEST(s.table.length() == 40u);
        BOOST_TEST(same_bits(got, want));
        BOOST_TEST(e.advance(1) == 0u); // none is under way
      }
    }
}

BOOST_AUTO_TEST_CASE(a_layer_is_final_once_it_was_advanced_over) {
  auto e = engine{model_of(2), {1, 64}};
  auto s = sequence{e, kv_dtype::f32, 3};
  auto l = s.pool.layout();
  auto ids = text(14, 3);
  auto row = batch_row{&s.table, ids};
  auto bytes = [&](uint32_t layer) {
    auto* from = s.table.block(0) + layer * l.layer_bytes();
    return std::vector<std::byte>(from, from + l.layer_bytes());
  };
  auto nothing = std::vector<std::byte>(l.layer_bytes());
  BOOST_REQUIRE(e.begin({&row, 1}).ok());
  BOOST_TEST((bytes(0) == nothing));
  BOOST_TEST(e.advance(1) == 1u);
  auto first = bytes(0);
  BOOST_TEST((first != nothing));
  BOOST_TEST((bytes(1) == nothing));
  BOOST_TEST(e.advance(1) == 1u);
  BOOST_TEST((bytes(1) != nothing));
  e.finish();
  BOOST_TEST((bytes(0) == first));
}

BOOST_AUTO_TEST_CASE(a_step_can_be_dropped_with_its_tables) {
  auto e = engine{model_of(2), {2, 64}};
  auto ids = text(15, 40);
  auto want = alone(e, kv_dtype::f16, ids, 20);
  auto s = sequence{e, kv_dtype::f16, 40};
  auto got = floats{};
  for (auto i = 0u; i < 40; i += 20) {
    // Others, and this one itself, begin and go no further than a layer.
    for (auto layers : {0u, 1u, 2u}) {
      auto gone = std::make_unique<sequence>(e, kv_dtype::f16, 64);
      auto other = text(16 + layers, 30);
      auto rows = std::vector<batch_row>{
          {&gone->table, other},
          {&s.table, std::span{other}.first(20)},
      };
      BOOST_REQUIRE(e.begin(rows).ok());
      e.advance(layers);
      BOOST_TEST(s.table.length() == i);
      BOOST_TEST(gone->table.length() == 0u);
    }
    auto row = batch_row{&s.table, std::span{ids}.subspan(i, 20), true, true};
    auto some = step(e, {&row, 1});
    got.insert(got.end(), some.begin(), some.end());
  }
  BOOST_TEST(same_bits(got, want));
}

BOOST_AUTO_TEST_CASE(no_step_is_under_way_after_a_refusal) {
  auto e = engine{model_of(2), {1, 64}};
  auto s = sequence{e, kv_dtype::f16, 16};
  auto ids = text(17, 3);
  auto row = batch_row{&s.table, ids};
  BOOST_REQUIRE(e.begin({&row, 1}).ok());
  auto bad = std::vector<token_id>{-1};
  auto refused = batch_row{&s.table, bad};
  BOOST_TEST(!e.begin({&refused, 1}).ok());
  BOOST_TEST(e.advance(1) == 0u);
  BOOST_TEST(s.table.length() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
