// Sequences whose blocks move between steps go on as if they had stayed.

#include <boost/test/unit_test.hpp>

#include "core/engine/engine.hpp"
#include "core/kv/defrag.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

BOOST_AUTO_TEST_SUITE(engine_defrag)

BOOST_AUTO_TEST_CASE(moved_blocks_give_the_same_logits) {
  auto m = testing::tiny_model();
  auto e = engine{m, {2, 64}};
  auto vocab = size_t{m->params.vocab};
  constexpr auto tokens = 90u;
  for (auto kv : all_kv_types) {
    auto arena = make_block_arena(e.layout(kv));
    auto pool = block_pool{arena, 40};
    auto tables = std::vector<page_table>(3);
    auto ids = std::vector<std::vector<token_id>>{};
    auto want = std::vector<floats>{};
    auto gone = page_table{};
    for (auto s = 0u; s < 3; ++s) {
      ids.push_back(text(s, tokens, m->params.vocab));
      want.push_back(alone(e, kv, ids[s], 60));
    }
    auto copies = 0u;
    for (auto t = 0u; t < tokens; ++t) {
      if (t % 24 == 0)
        gone.clear();
      gone.grow(pool, gone.room() + 1);
      for (auto s = 0u; s < 3; ++s) {
        BOOST_REQUIRE(tables[s].grow(pool, t + 1));
        auto row = batch_row{&tables[s], std::span{ids[s]}.subspan(t, 1)};
        BOOST_TEST(
            same_bits(step(e, {&row, 1}), {want[s].data() + t * vocab, vocab}),
            "token " << t << " of sequence " << s);
      }
      auto all =
          std::vector<page_table*>{&tables[0], &tables[1], &tables[2], &gone};
      copies += compact(all, *arena, 2 + t % 7).copies;
    }
    BOOST_TEST(copies > 20u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
