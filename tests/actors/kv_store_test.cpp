#include "tests/actors/kv_store_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using fixture = kv_store_fixture;

BOOST_AUTO_TEST_SUITE(kv_store_suite)

BOOST_FIXTURE_TEST_CASE(in_memory_blocks_come_and_go_by_reference, fixture) {
  offer_to_store(1);
  auto first = at_home->table.block(0);
  sim.run();
  BOOST_TEST(at_home->pool.in_use() == 0u);
  BOOST_TEST(status().blocks_in_use == seq_blocks);
  BOOST_TEST(status().sequences == 1u);
  resume(1);
  BOOST_TEST(away->resumed.block(0) == first);
  BOOST_TEST(away->offer.offer.epoch == next_move(first_life));
  expect_nothing_stored();
  // And out again, a life later.
  swap_out(1, next_move(next_move(first_life)));
  resume(1, next_move(next_move(first_life)));
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_sequence_may_come_back_to_where_it_was, fixture) {
  swap_out(1);
  ask_for(1, home);
  sim.run();
  BOOST_TEST(at_home->resumed.length() == prompt_tokens + 2);
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(by_the_file_every_byte_comes_back, with_file) {
  for (seq_id seq : {1, 2, 3, 4})
    swap_out(seq);
  auto s = status();
  BOOST_TEST(s.file_blocks == 8u);
  BOOST_TEST(s.spilled_bytes == 8 * block_bytes());
  BOOST_TEST(s.blocks_in_use == 12u);
  BOOST_TEST(s.blocks_total == 12u);
  for (seq_id seq : {2, 1, 4, 3})
    resume(seq);
  expect_nothing_stored();
  BOOST_TEST(status().file_blocks == 0u);
}

// Its first blocks may move before its last tokens are there.
BOOST_FIXTURE_TEST_CASE(a_sequence_may_grow_while_it_comes, with_file) {
  swap_out(1);
  auto o = offer(2);
  o.offer.blocks = seq_blocks - 1; // leaves none free
  begin(o, prompt_tokens + 2, {1, 2, 3});
  sim.run();
  BOOST_REQUIRE(at_home->sender->done());
  BOOST_TEST(status().file_blocks == 2u);
  resume(2);
  resume(1);
  expect_nothing_stored();
}

// -- what is refused ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_and_hurts_nobody) {
  auto f = fixture{{.blocks = 7}};
  f.swap_out(1);
  f.swap_out(2);
  f.offer_to_store(3);
  f.sim.run();
  BOOST_TEST((f.refusal() == errc::no_free_blocks));
  BOOST_TEST(f.at_home->sender->failed());
  BOOST_TEST(f.at_home->table.blocks() == seq_blocks); // still its own
  BOOST_TEST(f.status().refused == 1u);
  f.resume(1);
  f.swap_out(3, first_life + 1);
  f.resume(2);
  f.resume(3, first_life + 1);
  f.expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_refuses_and_hurts_nobody, with_file) {
  disk->disk = 2 * block_bytes() + 1;
  disk->tears = true;
  swap_out(1); // the fourth block stays free
  offer_to_store(2);
  sim.run();
  BOOST_REQUIRE(at_home->sender->done());
  offer_to_store(3);
  sim.run();
  BOOST_TEST((refusal() == errc::io_error));
  BOOST_TEST(status().refused == 1u);
  resume(2);
  resume(1);
  expect_nothing_stored();
  BOOST_TEST(status().file_blocks == 0u);
}

BOOST_FIXTURE_TEST_CASE(contradictions_are_refused, fixture) {
  auto seq = seq_id{10};
  auto refused = [&](auto change, errc why) {
    auto o = offer(++seq);
    change(o);
    caf::send_as(home, store, o);
    sim.run();
    BOOST_TEST((refusal() == why));
    expect_nothing_stored();
  };
  auto contradicts = errc::layout_mismatch;
  refused([](auto& o) { o.spec.seq += 1; }, contradicts);
  refused([](auto& o) { o.spec.epoch += 1; }, contradicts);
  refused([](auto& o) { o.offer.blocks = 4; }, contradicts);
  refused([](auto& o) { o.offer.max_blocks = 1u << 30; }, contradicts);
  refused([](auto& o) { o.offer.model = "other"; }, contradicts);
  refused([](auto& o) { o.offer.layout.layers += 1; }, contradicts);
  refused([](auto& o) { o.offer.version += 1; }, contradicts);
  refused([](auto& o) { o.stream = stream_actor{}; }, errc::invalid_argument);
  refused([](auto& o) { o.spec.prompt[3] = -1; }, errc::invalid_argument);
  auto orphan = offer(99);
  orphan.source = kv_source_actor{};
  caf::send_as(home, store, orphan);
  sim.run();
  BOOST_TEST(at_home->aborts.empty());
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_position_that_contradicts_the_tokens_ends_it,
                        fixture) {
  auto wrong = [&](seq_id seq, uint32_t tokens, std::vector<token_id> emitted) {
    begin(offer(seq), tokens, std::move(emitted));
    sim.run();
    BOOST_TEST((refusal() == errc::layout_mismatch));
    expect_nothing_stored();
  };
  wrong(1, prompt_tokens + 1, {1, 2, 3});
  wrong(2, prompt_tokens + 2, {1, 2, 4});
  wrong(3, prompt_tokens + 1, {1, 2});
  wrong(4, prompt_tokens + 3, {1, 2, 3, 1 << 30});
}

BOOST_FIXTURE_TEST_CASE(what_belongs_to_no_handoff_is_answered, fixture) {
  caf::send_as(home, store, kv_commit{5, 1, 1, {}, 4, {1}});
  sim.run();
  BOOST_TEST((refusal() == errc::unknown_sequence));
  caf::send_as(other, store, kv_grant{5, 1, 4});
  sim.run();
  BOOST_TEST((no_resume() == errc::unknown_sequence));
  caf::anon_send(store, kv_commit{5, 1, 1, {}, 4, {1}});
  caf::anon_send(store, kv_grant{5, 1, 4});
  caf::anon_send(store, kv_credit{5, 1, 4});
  caf::anon_send(store, kv_accepted{5, 1});
  caf::anon_send(store, kv_abort{5, 1, errc::none, ""});
  caf::anon_send(store, fetch_sequence{});
  sim.run();
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(strangers_move_nothing, fixture) {
  offer_to_store(1);
  sim.run(1);
  caf::send_as(other, store, kv_abort{1, first_life, errc::cancelled, ""});
  sim.run();
  BOOST_REQUIRE(at_home->sender->done());
  away->deaf_to_offers = true;
  ask_for(1, other);
  sim.run();
  auto sent = next_move(first_life);
  caf::send_as(home, store, kv_abort{1, sent, errc::cancelled, ""});
  caf::send_as(home, store, kv_accepted{1, sent});
  caf::send_as(home, store, kv_credit{1, sent, 0});
  caf::send_as(home, store, kv_accepted{1, first_life});
  sim.run();
  BOOST_TEST(status().sequences == 1u);
  away->deaf_to_offers = false;
  sim.advance(1s); // the offer comes again
  sim.run();
  expect_resumed(1);
  expect_nothing_stored();
}

// -- what is repeated or late -------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_commit_is_accepted_again_as_long_as_anybody_knows,
                        fixture) {
  swap_out(1);
  auto again = [&] {
    auto told = std::make_shared<node_log>();
    auto source = sim.spawn(fake_prefill, told);
    caf::send_as(source, store, kv_commit{1, first_life, 1, {}, 42, {1}});
    sim.run();
    BOOST_REQUIRE_EQUAL(told->others.size(), 1u);
    return std::holds_alternative<kv_accepted>(told->others[0]);
  };
  BOOST_TEST(again());
  caf::send_as(home, store, offer(1)); // late
  sim.run();
  BOOST_TEST(at_home->aborts.empty());
  BOOST_TEST(status().sequences == 1u);
  resume(1);
  BOOST_TEST(again());
  caf::send_as(home, store, offer(1));
  sim.run();
  BOOST_TEST((refusal() == errc::stale_epoch));
  caf::send_as(home, store, cancel_sequence{1, last_move(first_life)});
  sim.run();
  BOOST_TEST(!again());
}

BOOST_FIXTURE_TEST_CASE(a_newer_life_replaces_an_older_one, fixture) {
  swap_out(1);
  swap_out(1, next_placement(first_life));
  BOOST_TEST(status().sequences == 1u);
  BOOST_TEST(status().blocks_in_use == seq_blocks);
  ask_for(1, other);
  sim.run();
  BOOST_TEST((no_resume() == errc::unknown_sequence));
  resume(1, next_placement(first_life));
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_life_stays_cancelled, fixture) {
  swap_out(1);
  caf::send_as(home, store, cancel_sequence{1, last_move(first_life)});
  sim.run();
  expect_nothing_stored();
  caf::send_as(home, store, offer(1, last_move(first_life)));
  sim.run();
  BOOST_TEST((refusal() == errc::stale_epoch));
  swap_out(1, next_placement(first_life));
}

// -- fetching -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(what_is_not_stored_cannot_be_had, fixture) {
  ask_for(1, other);
  sim.run();
  BOOST_TEST((no_resume() == errc::unknown_sequence));
  swap_out(1);
  ask_for(1, other, next_move(first_life));
  sim.run();
  BOOST_TEST((no_resume() == errc::unknown_sequence));
  offer_to_store(2);
  sim.run(2);
  ask_for(2, other); // before it is committed
  sim.run(1);
  sim.run();
  resume(1);
}

BOOST_FIXTURE_TEST_CASE(whoever_is_refused_may_be_asked_again, fixture) {
  swap_out(1);
  away->refuse = errc::no_free_blocks;
  ask_for(1, other);
  sim.run();
  auto sent = away->offer.offer.epoch;
  BOOST_TEST(status().sequences == 1u);
  ask_for(1, other);
  sim.run();
  // It may have fenced that life.
  BOOST_TEST(away->offer.offer.epoch > sent);
  BOOST_TEST(same_placement(away->offer.offer.epoch, sent));
  away->refuse.reset();
  resume(1);
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(what_is_on_its_way_stays_in_memory, with_file) {
  swap_out(1);
  away->deaf_to_offers = true;
  ask_for(1, other);
  sim.run();
  offer_to_store(2);
  sim.run();
  BOOST_TEST((refusal() == errc::no_free_blocks));
  BOOST_TEST(status().file_blocks == 0u);
  caf::send_as(other, store,
               kv_abort{1, next_move(first_life), errc::no_free_blocks, ""});
  sim.run();
  swap_out(3); // the first may make way again
  BOOST_TEST(status().file_blocks == 2u);
  away->deaf_to_offers = false;
  resume(1);
  resume(3);
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(one_at_a_time_gets_it, fixture) {
  swap_out(1);
  away->deaf_to_offers = true;
  ask_for(1, other);
  ask_for(1, other); // repeated: nothing
  ask_for(1, home);
  sim.run();
  BOOST_TEST((refusal() == errc::unknown_sequence));
  BOOST_TEST(away->aborts.empty());
  away->deaf_to_offers = false;
  sim.advance(1s);
  sim.run();
  expect_resumed(1);
}

BOOST_FIXTURE_TEST_CASE(damage_in_the_file_is_told_and_ends_it, with_file) {
  swap_out(1);
  swap_out(2);
  disk->bytes[block_bytes() + 3] ^= std::byte{1};
  ask_for(1, other);
  sim.run();
  BOOST_TEST((no_resume() == errc::digest_mismatch));
  BOOST_TEST(!away->receiver);
  BOOST_TEST(status().sequences == 1u);
  ask_for(1, other);
  sim.run();
  BOOST_TEST((no_resume() == errc::unknown_sequence));
  resume(2);
  expect_nothing_stored();
  BOOST_TEST(status().file_blocks == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_read_now_may_be_later, with_file) {
  swap_out(1);
  swap_out(2);
  disk->unreadable = true;
  ask_for(1, other);
  sim.run();
  BOOST_TEST((no_resume() == errc::io_error));
  disk->unreadable = false;
  resume(1);
  resume(2);
  expect_nothing_stored();
}

BOOST_AUTO_TEST_SUITE_END()
