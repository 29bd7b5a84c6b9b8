// Both sides of a handoff, message by message.

#include "tests/core/kv/handoff_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(kv_handoff)

BOOST_FIXTURE_TEST_CASE(a_good_run_moves_blocks_by_reference, fixture) {
  deliver_all(begin());
  receiver->on(commit(), t0, out);
  sender->on(take<kv_accepted>().at(0));
  BOOST_TEST(sender->done());
  BOOST_TEST(receiver->accepted());
  auto moved = receiver->take_table();
  receiver.reset();
  BOOST_TEST(moved.length() == 40u);
  BOOST_TEST(moved.blocks() == 5u);
  for (uint32_t i = 0; i < 3; ++i)
    BOOST_TEST(moved.block(i) == table.block(i));
  table.clear();
  BOOST_TEST(from.in_use() == 0u);
  BOOST_TEST(to.in_use() == 5u);
}

BOOST_FIXTURE_TEST_CASE(chunks_wait_for_the_grant_and_keep_the_window,
                        fixture) {
  sender->start(t0, out);
  out.clear();
  for (uint32_t b = 0; b < 3; ++b)
    for (uint32_t l = 0; l < 3; ++l)
      sender->push(table, b, 1, l, 1, t0, out);
  BOOST_TEST(out.empty());
  sender->on(kv_grant{9, 2, 4}, t0, out);
  BOOST_TEST(take<kv_chunk>().size() == 4u);
  sender->on(kv_credit{9, 2, 2}, t0, out);
  BOOST_TEST(take<kv_chunk>().size() == 1u);
  sender->on(kv_credit{9, 2, 2}, t0, out); // repeated
  sender->on(kv_credit{9, 2, 8}, t0, out); // never sent
  sender->on(kv_credit{9, 2, ~0u}, t0, out);
  sender->on(kv_credit{9, 1, 0}, t0, out); // of an older epoch
  BOOST_TEST(out.empty());
}

BOOST_FIXTURE_TEST_CASE(a_large_block_is_cut_into_chunks_by_layer, fixture) {
  auto big = kv_layout{20, 8, 128, 128, kv_dtype::f32};
  auto pool = block_pool{make_block_arena(big), 4};
  auto there = block_pool{make_block_arena(big), 4};
  auto t = page_table{};
  t.grow(pool, 32);
  paint(t, {20, 8, 1, 1, kv_dtype::f32}, 3); // a part of it is enough
  auto o = offer;
  o.layout = big;
  o.blocks = o.max_blocks = 2;
  auto s = kv_sender{o, {}};
  auto r = std::move(*kv_receiver::open(o, there, {"m", 64, {}}, t0, out));
  s.on(kv_grant{9, 2, 64}, t0, out);
  out.clear();
  s.push(t, 0, 2, 0, 20, t0, out);
  auto chunks = take<kv_chunk>();
  BOOST_TEST(chunks.size() == 5u); // 8, 8 and 4 layers
  for (auto& c : chunks) {
    BOOST_TEST(c.blocks * c.layers * big.layer_bytes()
               <= kv_sender::max_chunk_bytes);
    flatten(c);
    r.on(c, t0, out);
    s.on(take<kv_credit>().at(0), t0, out);
  }
  s.finish(32, {1}, t0, out);
  r.on(take<kv_commit>().at(0), t0, out);
  BOOST_REQUIRE(r.accepted());
  auto moved = r.take_table();
  BOOST_TEST(same_bytes(t, moved, 2, big));
}

BOOST_FIXTURE_TEST_CASE(an_offer_that_waits_lives_as_long_as_it_is_told_so,
                        fixture) {
  sender->start(t0, out);
  out.clear();
  auto now = t0;
  for (auto i = 0; i < 400; ++i) { // 100 minutes
    now += 15s;
    sender->tick(now, out);
    if (!take<kv_offer>().empty())
      sender->on(kv_grant{9, 2, 0}, now, out);
    BOOST_REQUIRE(!sender->failed());
  }
  BOOST_TEST((sender->now_in() == kv_sender::state::offered));
  sender->on(kv_grant{9, 2, 4}, now, out);
  BOOST_TEST((sender->now_in() == kv_sender::state::sending));
}

BOOST_FIXTURE_TEST_CASE(a_silent_destination_is_given_up, fixture) {
  sender->start(t0, out);
  out.clear();
  auto now = t0;
  while (!sender->failed() && now < t0 + 40s) {
    now += 250ms;
    sender->tick(now, out);
  }
  BOOST_TEST((sender->failure().code == errc::timeout));
  BOOST_TEST((now >= t0 + 30s));
  BOOST_TEST(take<kv_abort>().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(silence_counts_only_after_it_was_asked_into, fixture) {
  auto chunks = begin();
  // A step of ten minutes; the credits lie behind the tick.
  sender->tick(t0 + 10min, out);
  BOOST_TEST(!sender->failed());
  out.clear();
  receiver->tick(t0 + 10min, out);
  BOOST_TEST(!receiver->failed());
  deliver_all(chunks);
  receiver->tick(t0 + 1min, out);
  BOOST_TEST(!receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(a_source_that_computes_is_not_silent, fixture) {
  auto chunks = begin();
  deliver_all({chunks.at(0), chunks.at(1), chunks.at(2)});
  for (auto i = 0; i < 100; ++i)
    sender->tick(t0 + i * 60s, out);
  BOOST_TEST(out.empty());
  BOOST_TEST(!sender->failed());
}

BOOST_FIXTURE_TEST_CASE(a_silent_source_frees_the_blocks_in_the_end, fixture) {
  begin();
  receiver->tick(t0 + 4min, out);
  BOOST_TEST(!receiver->failed());
  receiver->tick(t0 + 5min, out);
  receiver->tick(t0 + 5min + 1s, out);
  BOOST_TEST(receiver->failed());
  BOOST_TEST(to.in_use() == 0u);
  BOOST_TEST((take<kv_abort>().at(0).code == errc::timeout));
}

BOOST_AUTO_TEST_SUITE_END()
