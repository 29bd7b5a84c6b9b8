// What a peer may send that no honest one would.

#include "tests/core/kv/handoff_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(kv_handoff_hostile)

BOOST_FIXTURE_TEST_CASE(offers_that_do_not_fit_are_refused, fixture) {
  auto refused = [&](auto change, errc why) {
    auto o = offer;
    change(o);
    auto r = open(o);
    BOOST_REQUIRE(!r);
    BOOST_TEST((r.failure().code == why), r.failure().message);
    BOOST_TEST(!r.failure().message.empty());
    BOOST_TEST(out.empty());
    BOOST_TEST(to.in_use() == 0u);
  };
  refused([](kv_offer& o) { ++o.version; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.model = "other"; }, errc::layout_mismatch);
  refused([](kv_offer& o) { ++o.layout.layers; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.kv_heads = 0; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.k_dim = ~0u; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.v_dim = 0; }, errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.dtype = kv_dtype::f32; },
          errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.dtype = kv_dtype::i8; },
          errc::layout_mismatch);
  refused([](kv_offer& o) { o.layout.dtype = kv_dtype{77}; },
          errc::layout_mismatch);
  refused([](kv_offer& o) { o.blocks = 0; }, errc::invalid_argument);
  refused([](kv_offer& o) { o.blocks = 6; }, errc::invalid_argument);
  refused([](kv_offer& o) { o.blocks = o.max_blocks = ~0u; },
          errc::no_free_blocks);
  refused([](kv_offer& o) { o.max_blocks = 9; }, errc::no_free_blocks);
}

BOOST_FIXTURE_TEST_CASE(hostile_chunks_end_the_handoff_and_free_it, fixture) {
  auto attack = [&](auto change, errc why) {
    auto f = fixture{};
    auto chunks = f.begin();
    auto c = chunks.at(1);
    flatten(c);
    change(c);
    f.receiver->on(c, t0, f.out);
    BOOST_TEST(f.receiver->failed());
    auto aborts = f.take<kv_abort>();
    BOOST_REQUIRE_EQUAL(aborts.size(), 1u);
    BOOST_TEST((aborts[0].code == why));
    BOOST_TEST(f.to.in_use() == 0u);
    f.sender->on(aborts[0]);
    BOOST_TEST(f.sender->failed());
    BOOST_TEST((f.sender->failure().code == why));
  };
  auto outside = errc::layout_mismatch;
  attack([](kv_chunk& c) { c.first_block = 5; }, outside);
  attack([](kv_chunk& c) { c.first_block = ~0u; }, outside);
  attack([](kv_chunk& c) { c.blocks = 0; }, outside);
  attack([](kv_chunk& c) { c.blocks = ~0u; }, outside);
  attack([](kv_chunk& c) { c.first_layer = 1; }, outside);
  attack([](kv_chunk& c) { c.layers = 0x80000001u; }, outside);
  attack([](kv_chunk& c) { c.index = 99; }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.clear(); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.pop_back(); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes.resize(1 << 20); }, outside);
  attack([](kv_chunk& c) { c.payload.blocks.resize(1); }, outside);
  attack([](kv_chunk& c) { c.payload.bytes[5] ^= std::byte{1}; },
         errc::digest_mismatch);
  attack([](kv_chunk& c) { c.digest.high ^= 1; }, errc::digest_mismatch);
}

BOOST_FIXTURE_TEST_CASE(a_layer_cannot_come_twice, fixture) {
  auto chunks = begin();
  receiver->on(chunks[0], t0, out);
  auto again = chunks[0];
  again.index = 1;
  receiver->on(again, t0, out);
  BOOST_TEST(receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(wire_bytes_never_enter_a_lent_block, fixture) {
  sender->start(t0, out);
  receiver.emplace(std::move(*open(offer)));
  sender->on(kv_grant{9, 2, 8}, t0, out);
  out.clear();
  sender->push(table, 0, 1, 0, 1, t0, out);
  sender->push(table, 0, 1, 1, 1, t0, out);
  auto chunks = take<kv_chunk>();
  receiver->on(chunks[0], t0, out);
  flatten(chunks[1]);
  chunks[1].payload.bytes[0] ^= std::byte{1};
  auto before = table.block(0)[layout.layer_bytes()];
  receiver->on(chunks[1], t0, out);
  BOOST_TEST(receiver->failed());
  BOOST_TEST((table.block(0)[layout.layer_bytes()] == before));
}

BOOST_FIXTURE_TEST_CASE(hostile_commits_are_refused, fixture) {
  auto attack = [&](auto change) {
    auto f = fixture{};
    f.deliver_all(f.begin());
    auto m = f.commit();
    change(m);
    f.receiver->on(m, t0, f.out);
    BOOST_TEST(f.receiver->failed());
    BOOST_TEST(f.to.in_use() == 0u);
  };
  attack([](kv_commit& m) { m.tokens = 0; });
  attack([](kv_commit& m) { m.tokens = 41; });
  attack([](kv_commit& m) { m.tokens = ~0u; });
  attack([](kv_commit& m) { m.chunks = 2; });
  attack([](kv_commit& m) { m.chunks = ~0u; });
  attack([](kv_commit& m) { m.digest.low ^= 1; });
  attack([](kv_commit& m) { m.emitted = {6}; });
}

BOOST_FIXTURE_TEST_CASE(a_commit_before_the_last_chunk_is_refused, fixture) {
  auto chunks = begin();
  deliver_all({chunks[0], chunks[1]});
  auto digests = std::vector<kv_digest>{chunks[0].digest, chunks[1].digest};
  auto m = kv_commit{9, 2, 2, {}, 40, {5}};
  m.digest = digest_of(digests, m);
  receiver->on(m, t0, out);
  BOOST_TEST(receiver->failed());
}

BOOST_FIXTURE_TEST_CASE(other_epochs_and_sequences_change_nothing, fixture) {
  auto chunks = begin();
  out.clear();
  for (auto epoch : {0, 1, 3}) {
    auto c = chunks[0];
    c.epoch = epoch;
    receiver->on(c, t0, out);
    receiver->on(kv_commit{9, c.epoch, 3, {}, 40, {}}, t0, out);
    receiver->on(kv_abort{9, c.epoch, errc::cancelled, ""});
    sender->on(kv_abort{9, c.epoch, errc::cancelled, ""});
    sender->on(kv_accepted{9, c.epoch});
  }
  receiver->on(kv_abort{8, 2, errc::cancelled, ""});
  sender->on(kv_accepted{9, 2}); // not committed yet
  BOOST_TEST(out.empty());
  BOOST_TEST((receiver->now_in() == kv_receiver::state::receiving));
  BOOST_TEST((sender->now_in() == kv_sender::state::sending));
}

BOOST_FIXTURE_TEST_CASE(an_abort_after_accepted_is_too_late, fixture) {
  deliver_all(begin());
  receiver->on(commit(), t0, out);
  receiver->on(kv_abort{9, 2, errc::cancelled, ""});
  BOOST_TEST(receiver->accepted());
  BOOST_TEST(receiver->take_table().length() == 40u);
}

BOOST_AUTO_TEST_SUITE_END()
