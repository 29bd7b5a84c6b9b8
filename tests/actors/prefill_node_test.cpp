#include <algorithm>

#include "tests/actors/prefill_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using fixture = prefill_fixture;

} // namespace

BOOST_AUTO_TEST_SUITE(prefill_node_suite)

BOOST_FIXTURE_TEST_CASE(a_job_is_offered_computed_and_handed_over, fixture) {
  send(job());
  BOOST_REQUIRE_EQUAL(told->offers.size(), 1u);
  auto& o = told->offers[0];
  BOOST_TEST(o.offer.blocks == 3u);
  BOOST_TEST(o.offer.max_blocks == 3u);
  BOOST_TEST(o.spec.prompt.size() == 40u);
  BOOST_TEST((o.source == node));
  BOOST_TEST((o.stream == stream));
  BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
  auto commit = take_over(1);
  BOOST_TEST(commit.tokens == 40u);
  BOOST_TEST(commit.emitted.size() == 1u);
  BOOST_TEST(commit.emitted[0] == outputs->at(0).tokens[0]);
  BOOST_TEST(status().blocks_in_use == 3u);
  send(kv_accepted{1, 1});
  expect_empty(status());
  BOOST_TEST(status().steps == 3u); // chunks are whole blocks
}

BOOST_FIXTURE_TEST_CASE(the_offer_leaves_before_the_first_chunk_is_computed,
                        fixture) {
  caf::anon_send(node, job());
  sim.step(); // the job
  sim.step(); // its first step
  BOOST_TEST(sim.run(1) == 1u);
  BOOST_TEST((told->offers.size() == 1u || outputs->empty()));
  sim.run();
  BOOST_TEST(told->offers.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(jobs_that_make_no_sense_fail_at_once, fixture) {
  auto seq = seq_id{1};
  auto failed = [&](auto change, errc why) {
    auto j = job(++seq);
    change(j);
    send(j);
    BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
    BOOST_TEST((outputs->back().reason == finish_reason::error));
    BOOST_TEST((outputs->back().code == why));
    BOOST_TEST(outputs->back().seq == seq);
    outputs->clear();
    expect_empty(status());
    BOOST_TEST(told->offers.empty());
  };
  failed([](auto& j) { j.spec.prompt.clear(); }, errc::invalid_argument);
  failed([](auto& j) { j.spec.prompt[0] = 300; }, errc::invalid_argument);
  failed([](auto& j) { j.spec.emitted = {-1}; }, errc::invalid_argument);
  failed([](auto& j) { j.spec.emitted.assign(6, 1); }, errc::invalid_argument);
  failed([](auto& j) { j.decode = kv_destination_actor{}; },
         errc::invalid_argument);
  failed([](auto& j) { j.spec.max_tokens = ~0u; }, errc::context_exceeded);
  failed([](auto& j) { j.spec.prompt.assign(200, 1); }, errc::no_free_blocks);
  auto mute = job(99);
  mute.stream = stream_actor{};
  send(mute);
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(cancel_is_heard_between_two_chunks, fixture) {
  caf::anon_send(node, job(1, 100));
  while (told->offers.empty())
    sim.step();
  send(cancel_sequence{1, 1});
  BOOST_TEST(status().steps < 4u); // of seven
  expect_empty(status());
  BOOST_TEST(outputs->empty());
  BOOST_TEST((std::get<kv_abort>(answers().back()).code == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(the_next_prompt_wakes_when_blocks_come_free, fixture) {
  send(job(1, 80)); // five of eight blocks
  send(job(2, 70)); // five
  BOOST_TEST(told->offers.size() == 1u);
  BOOST_TEST(status().waiting == 1u);
  take_over(1);
  send(kv_accepted{1, 1});
  BOOST_TEST(told->offers.size() == 2u);
  send(kv_abort{2, 1, errc::digest_mismatch, "no"});
  expect_empty(status());
  BOOST_TEST((outputs->back().code == errc::digest_mismatch));
}

BOOST_FIXTURE_TEST_CASE(what_has_tokens_already_goes_before_new_prompts,
                        fixture) {
  for (auto seq : {1u, 2u, 3u, 4u}) {
    auto j = job(seq, 16);
    if (seq > 2)
      j.spec.emitted = {1};
    caf::anon_send(node, j);
  }
  sim.run();
  auto order = std::vector<seq_id>{};
  for (auto& o : *outputs)
    order.push_back(o.seq);
  BOOST_TEST(order == (std::vector<seq_id>{3, 4, 1, 2}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_new_prompt_is_overtaken_so_often_and_no_more,
                        fixture) {
  caf::anon_send(node, job(1, 16));
  for (auto seq = 2u; seq < 80; ++seq) {
    auto j = job(seq, 3);
    j.spec.emitted = {1};
    caf::anon_send(node, j);
  }
  auto order = std::vector<seq_id>{};
  while (std::ranges::find(order, 1u) == order.end()) {
    sim.run(); // until blocks run out
    auto computed = std::exchange(*outputs, {});
    BOOST_REQUIRE(!computed.empty());
    for (auto& o : computed)
      if (o.reason == finish_reason::none) {
        order.push_back(o.seq);
        caf::anon_send(node, kv_abort{o.seq, 1, errc::timeout, "no"});
      }
  }
  BOOST_TEST((std::ranges::find(order, 1u) == order.begin() + 64));
}

BOOST_FIXTURE_TEST_CASE(who_overtakes_waits_for_the_blocks_of_who_was_overtaken,
                        fixture) {
  caf::anon_send(node, job(1, 100)); // seven of eight blocks
  while (told->offers.empty())
    sim.step();
  auto j = job(2, 40);
  j.spec.emitted = {1};
  caf::anon_send(node, j);
  sim.run();
  BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
  BOOST_TEST(outputs->at(0).seq == 1u);
  take_over(1);
  send(kv_accepted{1, 1});
  BOOST_REQUIRE_EQUAL(told->offers.size(), 2u);
  BOOST_TEST(outputs->back().seq == 2u);
  send(kv_abort{2, 1, errc::digest_mismatch, "no"});
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(and_when_a_decode_node_dies, fixture) {
  auto other = sim.spawn(fake_decode, told);
  send(job(1, 80));
  auto j = job(2, 70);
  j.decode = caf::actor_cast<kv_destination_actor>(other);
  send(j);
  BOOST_TEST(told->offers.size() == 1u);
  outputs->clear();
  sim.kill(decode);
  sim.run();
  BOOST_TEST(told->offers.size() == 2u);
  BOOST_REQUIRE_GE(outputs->size(), 1u);
  BOOST_TEST((outputs->front().code == errc::abandoned));
  BOOST_TEST(outputs->front().seq == 1u);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_computed_for_a_dead_stream, fixture) {
  send(job(1));
  send(job(2));
  sim.kill(stream);
  sim.run();
  expect_empty(status());
  BOOST_TEST((std::get<kv_abort>(answers().back()).code == errc::abandoned));
}

BOOST_FIXTURE_TEST_CASE(a_newer_life_replaces_an_older_one, fixture) {
  send(job(1, 40, 2));
  answers();
  send(job(1, 40, 1));
  send(job(1, 40, 2));
  BOOST_TEST(told->offers.size() == 1u);
  send(job(1, 40, 3));
  BOOST_REQUIRE_EQUAL(told->offers.size(), 2u);
  BOOST_TEST(told->offers[1].offer.epoch == 3u);
  BOOST_TEST(std::get<kv_abort>(answers()[0]).epoch == 2u);
  BOOST_TEST(status().blocks_in_use == 3u);
  send(cancel_sequence{1, 2}); // of an older one
  BOOST_TEST(status().blocks_in_use == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_grant_for_nothing_is_answered, fixture) {
  send(kv_grant{5, 1, 4});
  auto all = answers();
  BOOST_REQUIRE_EQUAL(all.size(), 1u);
  BOOST_TEST((std::get<kv_abort>(all[0]).code == errc::unknown_sequence));
  send(kv_credit{5, 1, 0});
  send(kv_accepted{5, 1});
  send(kv_abort{5, 1, errc::timeout, ""});
  BOOST_TEST(answers().empty());
}

BOOST_FIXTURE_TEST_CASE(a_silent_destination_is_given_up, fixture) {
  send(job());
  sim.drain(2min);
  BOOST_TEST((outputs->back().code == errc::timeout));
  expect_empty(status());
  BOOST_TEST(told->offers.size() > 10u); // asked again and again
  BOOST_TEST(!sim.scheduler().has_pending_timeout());
}

BOOST_FIXTURE_TEST_CASE(a_stray_tick_starts_no_second_chain, fixture) {
  caf::anon_send(node, job(1, 100));
  caf::anon_send(node, step_tick{0});
  caf::anon_send(node, step_tick{9});
  sim.run();
  BOOST_TEST(status().steps == 7u);
}

// However short the work: what was placed would count for ever if its end were
// not told. No time passes here.
BOOST_FIXTURE_TEST_CASE(loads_are_told_at_once_and_when_all_is_done, fixture) {
  auto heard = std::make_shared<std::vector<node_load>>();
  send(watch_load{sim.spawn(fake_load_sink, heard)});
  BOOST_REQUIRE_EQUAL(heard->size(), 1u);
  BOOST_TEST(heard->back().blocks == 8u);
  BOOST_TEST(heard->back().free_blocks == 8u);
  for (seq_id seq : {1, 2}) {
    auto before = heard->size();
    send(job(seq));
    BOOST_TEST(heard->size() == before + 1);
    BOOST_TEST(heard->back().prompt_tokens == 0u);
    BOOST_TEST(heard->back().free_blocks < 8u);
  }
  // One that is refused as well.
  auto bad = job(3);
  bad.spec.prompt.clear();
  send(bad);
  BOOST_TEST(heard->size() == 4u);
}

// -- embedding ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(what_is_embedded_is_handed_to_nobody, fixture) {
  for (auto length : {1u, 16u, 40u, 100u}) {
    send(embed_job(length, length));
    BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
    auto& o = outputs->back();
    BOOST_TEST((o.reason == finish_reason::stop));
    BOOST_TEST(o.seq == length);
    BOOST_TEST(o.tokens.empty());
    BOOST_TEST(o.state == plain_state(embed_job(1, length).spec.prompt),
               boost::test_tools::per_element());
    expect_empty(status());
    outputs->clear();
  }
  BOOST_TEST(told->offers.empty());
  BOOST_TEST(answers().empty());
}

// Every state is wanted, so nothing is found; nor does it take the place of
// what may be.
BOOST_FIXTURE_TEST_CASE(what_is_embedded_shares_nothing, fixture) {
  auto n = sim.spawn(prefill_node,
                     tiny_node(1, tiny_arena(), 16,
                               {.prefill_chunk = 16, .cached_blocks = 8}));
  auto tell = [&](prefill_job j) {
    caf::send_as(decode, n, std::move(j));
    sim.run();
    return sim.ask<node_status>(n, status_query{});
  };
  tell(embed_job(1, 64));
  auto after = tell(embed_job(2, 64));
  BOOST_TEST(after.hit_tokens == 0u);
  BOOST_TEST(after.cached_blocks == 0u);
  BOOST_TEST(after.steps == 8u);
  auto j = job(3, 64);
  j.spec.prompt = embed_job(1, 64).spec.prompt;
  tell(j);
  after = tell(embed_job(4, 64));
  BOOST_TEST(after.hit_tokens == 0u);
  BOOST_REQUIRE_EQUAL(outputs->size(), 4u);
  for (auto i : {0, 1, 3})
    BOOST_TEST((outputs->at(i).state == plain_state(j.spec.prompt)));
}

BOOST_FIXTURE_TEST_CASE(an_embedding_is_cancelled_between_two_chunks, fixture) {
  caf::anon_send(node, embed_job(1, 100)); // seven chunks
  for (auto i = 0; i < 10; ++i)
    sim.step();
  send(cancel_sequence{1, 1});
  expect_empty(status());
  BOOST_TEST(status().steps > 0u);
  BOOST_TEST(status().steps < 6u);
  BOOST_TEST(outputs->empty());
}

BOOST_FIXTURE_TEST_CASE(prompts_get_their_turn_beside_embeddings, fixture) {
  caf::anon_send(node, embed_job(1, 100)); // seven of eight blocks
  caf::anon_send(node, job(2, 10));
  auto j = job(3, 10);
  j.spec.emitted = {1};
  caf::anon_send(node, j); // goes before both
  sim.run();
  auto order = std::vector<seq_id>{};
  for (auto& o : *outputs)
    order.push_back(o.seq);
  BOOST_TEST(order == (std::vector<seq_id>{3, 1, 2}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(embeddings_that_make_no_sense_fail_at_once, fixture) {
  auto failed = [&](auto change, errc why) {
    auto x = embed_job(9, 20);
    change(x);
    send(x);
    BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
    BOOST_TEST((outputs->back().code == why));
    outputs->clear();
    expect_empty(status());
  };
  failed([](auto& x) { x.spec.max_tokens = 1; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.emitted = {1}; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.prompt.clear(); }, errc::invalid_argument);
  failed([](auto& x) { x.spec.prompt[3] = 300; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.prompt.assign(300, 1); }, errc::context_exceeded);
  failed([](auto& x) { x.spec.prompt.assign(200, 1); }, errc::no_free_blocks);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_embedded_for_a_dead_stream, fixture) {
  caf::anon_send(node, embed_job(1, 100));
  caf::anon_send(node, embed_job(2, 100));
  sim.step();
  sim.step();
  sim.kill(stream);
  sim.run();
  expect_empty(status());
  BOOST_TEST(status().steps < 7u);
}

BOOST_FIXTURE_TEST_CASE(a_drained_node_finishes_its_embeddings, fixture) {
  caf::anon_send(node, embed_job(1, 60));
  sim.step();
  sim.ask<drained>(node, drain_node{});
  BOOST_REQUIRE_EQUAL(outputs->size(), 1u);
  BOOST_TEST((outputs->at(0).reason == finish_reason::stop));
  send(embed_job(2, 10));
  BOOST_TEST((outputs->back().code == errc::no_node));
}

BOOST_AUTO_TEST_SUITE_END()
