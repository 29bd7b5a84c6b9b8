#include <boost/test/unit_test.hpp>

#include "actors/prefill_node.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// A prefill node whose destination and stream are the test.
struct fixture {
  sim_system sim;
  std::shared_ptr<node_log> told = std::make_shared<node_log>();
  decode_actor decode = sim.spawn(fake_decode, told);
  std::shared_ptr<std::vector<sequence_output>> outputs =
      std::make_shared<std::vector<sequence_output>>();
  stream_actor stream = sim.spawn(
      [](stream_actor::pointer,
         std::shared_ptr<std::vector<sequence_output>> all)
          -> stream_actor::behavior_type {
        return {[all](const step_output& s) {
          all->insert(all->end(), s.sequences.begin(), s.sequences.end());
        },
                [](const sequence_moved&) {}};
      },
      outputs);
  prefill_actor node =
      sim.spawn(prefill_node, tiny_node(1, tiny_arena(), 8,
                                        {.prefill_chunk = 20})); // 16, really

  prefill_job job(seq_id seq = 1, size_t prompt = 40, epoch_t epoch = 1) {
    auto j = prefill_job{};
    j.spec.request = 70 + seq;
    j.spec.seq = seq;
    j.spec.epoch = epoch;
    j.spec.prompt = std::vector<token_id>(prompt, 7);
    j.spec.max_tokens = 6;
    j.decode = caf::actor_cast<kv_destination_actor>(decode);
    j.stream = stream;
    return j;
  }

  template <class M>
  void send(M m) {
    caf::send_as(decode, node, std::move(m));
    sim.run();
  }

  node_status status() { return sim.ask<node_status>(node, status_query{}); }

  std::vector<kv_message> answers() { return std::exchange(told->others, {}); }

  // Grants and credits until the commit.
  kv_commit take_over(seq_id seq, epoch_t epoch = 1) {
    send(kv_grant{seq, epoch, 4});
    for (auto i = 0; i < 100; ++i)
      for (auto& m : answers()) {
        if (auto* c = std::get_if<kv_chunk>(&m))
          send(kv_credit{seq, epoch, c->index});
        else if (auto* commit = std::get_if<kv_commit>(&m))
          return *commit;
      }
    BOOST_FAIL("no commit");
    return {};
  }
};

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

BOOST_AUTO_TEST_SUITE_END()
