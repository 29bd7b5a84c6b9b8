// A sequence goes on after a handoff as if it had stayed.

#include <boost/test/unit_test.hpp>

#include "core/engine/engine.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/core/kv/handoff_fixture.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

constexpr auto prompt_tokens = 37u;

// Hands the sequence over to `pool`: as bytes, as over a network, or as blocks.
page_table hand_over(const sequence& s, block_pool& pool, bool as_bytes) {
  auto& layout = s.pool.layout();
  auto now = testing::t0;
  auto out = kv_outbox{};
  auto offer = kv_offer{};
  offer.seq = 9;
  offer.epoch = 1;
  offer.model = "m";
  offer.layout = layout;
  offer.blocks = kv_layout::blocks_for(prompt_tokens);
  offer.max_blocks = offer.blocks + 2;
  auto sender = kv_sender{offer, {}};
  auto receiver = kv_receiver::open(offer, pool, {"m", 4, {}}, now, out);
  BOOST_REQUIRE(receiver.ok());
  sender.push(s.table, 0, offer.blocks, 0, layout.layers, now, out);
  sender.finish(prompt_tokens, {1}, now, out);
  // Whatever either side says, until nobody has anything to say.
  while (!out.empty()) {
    auto said = std::exchange(out, {});
    for (auto& m : said) {
      if (auto* grant = std::get_if<kv_grant>(&m))
        sender.on(*grant, now, out);
      if (auto* chunk = std::get_if<kv_chunk>(&m)) {
        if (as_bytes)
          testing::flatten(*chunk);
        receiver->on(*chunk, now, out);
      }
      if (auto* credit = std::get_if<kv_credit>(&m))
        sender.on(*credit, now, out);
      if (auto* commit = std::get_if<kv_commit>(&m))
        receiver->on(*commit, now, out);
      if (auto* accepted = std::get_if<kv_accepted>(&m))
        sender.on(*accepted);
    }
  }
  BOOST_REQUIRE(sender.done());
  return receiver->take_table();
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_migration)

BOOST_AUTO_TEST_CASE(a_sequence_that_moved_gives_the_same_logits) {
  auto m = testing::tiny_model();
  auto ids = text(3, prompt_tokens + 20, m->params.vocab);
  auto vocab = size_t{m->params.vocab};
  auto source = engine{m, {2, 64}};
  auto destination = engine{m, {1, 64}};
  for (auto kv : all_kv_types)
    for (auto as_bytes : {false, true}) {
      auto want = alone(source, kv, ids);
      auto s = sequence{source, kv, prompt_tokens};
      auto row = batch_row{&s.table, std::span{ids}.first(prompt_tokens)};
      step(source, {&row, 1});
      auto pool = block_pool{make_block_arena(destination.layout(kv)), 8};
      auto table = hand_over(s, pool, as_bytes);
      table.back(static_cast<uint32_t>(ids.size()));
      for (auto t = prompt_tokens; t < ids.size(); ++t) {
        row = batch_row{&table, std::span{ids}.subspan(t, 1)};
        BOOST_TEST(same_bits(step(destination, {&row, 1}),
                             {want.data() + t * vocab, vocab}),
                   "token " << t);
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
