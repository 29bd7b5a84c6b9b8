#include <boost/test/unit_test.hpp>

#include "actors/decode_node.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// A mixed node whose stream is the test.
struct fixture {
  sim_system sim;
  std::shared_ptr<std::vector<step_output>> steps =
      std::make_shared<std::vector<step_output>>();
  stream_actor stream = sim.spawn(
      [](stream_actor::pointer, std::shared_ptr<std::vector<step_output>> all)
          -> stream_actor::behavior_type {
        return {[all](const step_output& s) { all->push_back(s); },
                [](const sequence_moved&) {}};
      },
      steps);
  decode_actor node = sim.spawn(
      decode_node,
      tiny_node(1, tiny_arena(), 8,
                {.prefill_chunk = 32, .max_batch = 4, .cached_blocks = 4}));

  fixture() {} // no aggregate: sim_system's constructor is explicit

  prefill_job job(seq_id seq = 1, size_t prompt = 40, epoch_t epoch = 1) {
    auto j = prefill_job{};
    j.spec.request = 70 + seq;
    j.spec.seq = seq;
    j.spec.epoch = epoch;
    j.spec.prompt =
        std::vector<token_id>(prompt, static_cast<token_id>(6 + seq));
    j.spec.max_tokens = 6;
    j.stream = stream;
    return j;
  }

  prefill_job embed_job(seq_id seq, size_t prompt) {
    auto j = job(seq, prompt);
    for (size_t i = 0; i < prompt; ++i)
      j.spec.prompt[i] = static_cast<token_id>(3 + (i * 7) % 290);
    j.spec.max_tokens = 0;
    j.spec.embed = true;
    return j;
  }

  // The vector of a sequence, which has no other output.
  bool is_embedded(seq_id seq, size_t prompt) {
    auto all = std::vector<sequence_output>{};
    for (auto& s : *steps)
      for (auto& o : s.sequences)
        if (o.seq == seq && o.preempted == put_away::no)
          all.push_back(o);
    return all.size() == 1 && all[0].reason == finish_reason::stop
           && all[0].tokens.empty()
           && all[0].state == plain_state(embed_job(seq, prompt).spec.prompt);
  }

  template <class M>
  void send(M m) {
    caf::anon_send(node, std::move(m));
    sim.run();
  }

  node_status status() { return sim.ask<node_status>(node, status_query{}); }

  // Tokens of a sequence, in order of their arrival.
  std::vector<token_id> tokens(seq_id seq, epoch_t epoch = 1) {
    auto all = std::vector<token_id>{};
    for (auto& s : *steps)
      for (auto& o : s.sequences)
        if (o.seq == seq && o.epoch == epoch) {
          BOOST_TEST(o.index == all.size());
          all.insert(all.end(), o.tokens.begin(), o.tokens.end());
        }
    return all;
  }

  const sequence_output& last() { return steps->back().sequences.back(); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(mixed_node_suite)

BOOST_FIXTURE_TEST_CASE(a_job_runs_to_its_end_where_it_is, fixture) {
  send(job());
  BOOST_TEST(tokens(1).size() == 6u);
  BOOST_TEST((last().reason == finish_reason::length));
  auto s = status();
  expect_empty(s);
  BOOST_TEST(s.steps == 7u); // two chunks, five tokens after the first
  BOOST_TEST((s.role == node_role::mixed));
}

BOOST_FIXTURE_TEST_CASE(nobody_who_decodes_waits_for_a_prompt, fixture) {
  caf::anon_send(node, job(1, 10));
  while (tokens(1).empty())
    sim.step();
  caf::anon_send(node, job(2, 70)); // five steps of 16 tokens beside it
  sim.run();
  // While the second prompt is computed, every step gives the first a token.
  BOOST_REQUIRE(steps->size() > 6u);
  for (size_t i = 0; i < 6; ++i)
    BOOST_TEST(steps->at(i).sequences.front().seq == 1u);
  BOOST_TEST(tokens(1).size() == 6u);
  BOOST_TEST(tokens(2).size() == 6u);
  auto s = status();
  BOOST_TEST(s.steps == steps->size()); // none without a token
  BOOST_TEST(s.steps < 6u + 3u + 5u);   // one after the other
  BOOST_TEST(s.largest_batch == 2u);
}

BOOST_FIXTURE_TEST_CASE(short_prompts_share_a_step, fixture) {
  for (seq_id s : {1, 2, 3})
    caf::anon_send(node, job(s, 8));
  while (steps->empty())
    sim.step();
  BOOST_TEST(steps->front().sequences.size() >= 2u);
  sim.run();
  for (seq_id s : {1, 2, 3})
    BOOST_TEST(tokens(s).size() == 6u);
}

BOOST_FIXTURE_TEST_CASE(jobs_that_make_no_sense_fail_at_once, fixture) {
  auto seq = seq_id{1};
  auto failed = [&](auto change, errc why) {
    auto j = job(++seq);
    change(j);
    send(j);
    BOOST_REQUIRE(!steps->empty());
    BOOST_TEST((last().reason == finish_reason::error));
    BOOST_TEST((last().code == why));
    BOOST_TEST(last().seq == seq);
    steps->clear();
    expect_empty(status());
  };
  auto bad = errc::invalid_argument;
  failed([](auto& j) { j.spec.prompt.clear(); }, bad);
  failed([](auto& j) { j.spec.prompt[0] = 300; }, bad);
  failed([](auto& j) { j.spec.emitted = {-1}; }, bad);
  failed([](auto& j) { j.spec.emitted.assign(6, 1); }, bad);
  failed([](auto& j) { j.spec.cache_salt.assign(257, 'x'); }, bad);
  failed([](auto& j) { j.spec.max_tokens = ~0u; }, errc::context_exceeded);
  failed([](auto& j) { j.spec.max_tokens = 100; }, errc::no_free_blocks);
  auto mute = job(99);
  mute.stream = stream_actor{};
  send(mute);
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(who_finds_no_blocks_waits_in_order, fixture) {
  caf::anon_send(node, job(1, 70)); // five of eight blocks
  caf::anon_send(node, job(2, 60)); // five
  caf::anon_send(node, job(3, 4));  // one: it would fit
  while (tokens(1).empty())
    sim.step();
  BOOST_TEST(tokens(3).empty());
  send(cancel_sequence{2, 1});
  BOOST_TEST(tokens(1).size() == 6u);
  BOOST_TEST(tokens(2).empty());
  BOOST_TEST(tokens(3).size() == 6u);
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(a_newer_life_replaces_an_older_one, fixture) {
  caf::anon_send(node, job(1, 40, 2));
  while (tokens(1, 2).empty())
    sim.step();
  auto so_far = tokens(1, 2).size();
  caf::anon_send(node, job(1, 40, 1)); // late
  auto next = job(1, 40, 3);
  next.spec.emitted = tokens(1, 2);
  caf::anon_send(node, next);
  sim.run();
  BOOST_TEST(tokens(1, 1).empty());
  BOOST_TEST(so_far < 6u);
  BOOST_TEST(last().epoch == 3u);
  BOOST_TEST(last().index == 5u);
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(nothing_is_computed_for_a_dead_stream, fixture) {
  for (seq_id s : {1, 2, 3})
    caf::anon_send(node, job(s));
  while (steps->empty())
    sim.step();
  sim.kill(stream);
  sim.run();
  expect_empty(status());
  BOOST_TEST(status().steps < 6u);
}

BOOST_FIXTURE_TEST_CASE(a_stray_tick_starts_no_second_chain, fixture) {
  caf::anon_send(node, job());
  caf::anon_send(node, step_tick{0});
  caf::anon_send(node, step_tick{9});
  sim.run();
  BOOST_TEST(status().steps == 7u);
}

// -- embedding ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_prompt_is_embedded_and_leaves, fixture) {
  for (auto length : {1u, 16u, 32u, 33u, 100u, 128u}) { // of 128 that fit
    send(embed_job(length, length));
    BOOST_TEST(is_embedded(length, length));
    expect_empty(status());
    BOOST_TEST(status().cached_blocks == 0u);
  }
}

BOOST_FIXTURE_TEST_CASE(nobody_who_decodes_waits_for_an_embedding, fixture) {
  caf::anon_send(node, job(1, 10));
  while (tokens(1).empty())
    sim.step();
  caf::anon_send(node, embed_job(2, 100)); // seven steps of 16 tokens beside it
  sim.run();
  BOOST_REQUIRE(steps->size() > 6u);
  for (size_t i = 0; i < 6; ++i)
    BOOST_TEST(steps->at(i).sequences.front().seq == 1u);
  BOOST_TEST(tokens(1).size() == 6u);
  BOOST_TEST(is_embedded(2, 100));
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(embeddings_share_steps_with_prompts, fixture) {
  caf::anon_send(node, embed_job(1, 8));
  caf::anon_send(node, job(2, 8));
  caf::anon_send(node, embed_job(3, 9));
  sim.run();
  BOOST_TEST(is_embedded(1, 8));
  BOOST_TEST(is_embedded(3, 9));
  BOOST_TEST(tokens(2).size() == 6u);
  BOOST_TEST(steps->front().sequences.size() >= 2u);
}

// Neither finds the other's KV: every state of the one is wanted, and the other
// one does not wait for it.
BOOST_FIXTURE_TEST_CASE(a_prompt_and_its_embedding_share_nothing, fixture) {
  auto j = job(1, 40);
  j.spec.prompt = embed_job(1, 40).spec.prompt;
  caf::anon_send(node, embed_job(2, 40));
  caf::anon_send(node, j);
  sim.run();
  send(embed_job(3, 40));
  BOOST_TEST(is_embedded(2, 40));
  BOOST_TEST(is_embedded(3, 40));
  BOOST_TEST(tokens(1).size() == 6u);
  BOOST_TEST(status().hit_tokens == 0u);
}

BOOST_FIXTURE_TEST_CASE(embeddings_wait_for_blocks_in_order, fixture) {
  for (seq_id s : {1, 2, 3})
    caf::anon_send(node, embed_job(s, 70)); // five of eight blocks each
  sim.run();
  for (seq_id s : {1, 2, 3})
    BOOST_TEST(is_embedded(s, 70));
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_embedding_frees_its_blocks, fixture) {
  caf::anon_send(node, embed_job(1, 100));
  for (auto i = 0; i < 3; ++i)
    sim.step();
  send(cancel_sequence{1, 1});
  expect_empty(status());
  BOOST_TEST(status().steps > 0u);
  BOOST_TEST(status().steps < 4u);
  BOOST_TEST(steps->empty());
  send(embed_job(1, 100)); // the same life of it, late
  BOOST_TEST(steps->empty());
}

BOOST_FIXTURE_TEST_CASE(a_preempted_embedding_begins_anew, fixture) {
  auto j = embed_job(1, 100);
  caf::anon_send(node, j);
  for (auto i = 0; i < 3; ++i)
    sim.step();
  send(preempt_sequence{j.spec.request, preempt_way::swap});
  BOOST_TEST(is_embedded(1, 100));
  auto& told = steps->front().sequences.front();
  BOOST_TEST((told.preempted == put_away::dropped));
  BOOST_TEST(told.request == j.spec.request);
  BOOST_TEST(status().recomputes == 1u);
  BOOST_TEST(status().steps > 4u); // of 32 tokens
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(a_drained_node_gives_embeddings_back, fixture) {
  caf::anon_send(node, embed_job(1, 100));
  for (auto i = 0; i < 3; ++i)
    sim.step();
  sim.ask<drained>(node, drain_node{});
  BOOST_TEST((last().reason == finish_reason::error));
  BOOST_TEST((last().code == errc::no_node));
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(embeddings_that_make_no_sense_are_refused, fixture) {
  auto failed = [&](auto change, errc why) {
    auto x = embed_job(9, 20);
    change(x);
    send(x);
    BOOST_REQUIRE(!steps->empty());
    BOOST_TEST((last().code == why));
    steps->clear();
    expect_empty(status());
  };
  failed([](auto& x) { x.spec.max_tokens = 1; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.emitted = {1}; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.prompt[3] = -1; }, errc::invalid_argument);
  failed([](auto& x) { x.spec.prompt.assign(129, 1); }, errc::no_free_blocks);
}

// -- a whole cluster of them --------------------------------------------------

BOOST_AUTO_TEST_CASE(answers_are_those_of_a_plain_loop) {
  for (uint64_t seed : {0, 1, 2})
    for (uint32_t chunk : {1, 40, 256}) {
      auto c = cluster{{.prefill_chunk = chunk,
                        .max_batch = 5,
                        .mixed = 1,
                        .mixed_blocks = 20,
                        .cached_blocks = chunk % 2 * 8,
                        .seed = seed}};
      for (uint32_t n = 0; n < 16; ++n)
        c.submit(varied_request(n));
      c.expect_idle();
      for (uint32_t n = 0; n < 16; ++n)
        c.expect_exact(varied_request(n));
      // Without a handoff.
      BOOST_TEST(c.status(c.mixed[0]).largest_batch > 4u);
    }
}

BOOST_AUTO_TEST_CASE(cancel_after_every_message) {
  auto r = varied_request(1, 6);
  auto other = varied_request(2, 6);
  for (uint64_t seed = 0; seed < 3; ++seed) {
    auto cancelled = 0;
    auto ks = at_every_message(
        {.mixed = 1, .mixed_blocks = 6, .seed = seed}, r,
        [&](cluster& c) {
          c.submit(other);
          c.sim.run(3);
          c.cancel(r.request);
        },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(other);
          auto& e = c.heard->end(r.request);
          cancelled += e.reason == finish_reason::cancelled;
          auto expected = plain_answer(r);
          auto& got = c.answer(r.request).tokens;
          BOOST_REQUIRE_LE(got.size(), expected.size());
          BOOST_REQUIRE(std::equal(got.begin(), got.end(), expected.begin()));
        });
    BOOST_TEST(ks > 15u);
    BOOST_TEST(cancelled > 8);
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_after_every_message) {
  auto r = varied_request(1, 6);
  for (uint64_t seed = 0; seed < 3; ++seed)
    at_every_message(
        {.mixed = 2, .cached_blocks = 16, .seed = seed}, r,
        [&](cluster& c) {
          c.submit(varied_request(2, 6));
          c.sim.run(4);
          c.sim.kill(c.mixed[0]);
        },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(r);
          c.expect_exact(varied_request(2, 6));
        });
}

BOOST_AUTO_TEST_CASE(the_only_node_dies_after_every_message) {
  auto r = varied_request(1, 5);
  at_every_message(
      {.mixed = 1}, r, [&](cluster& c) { c.sim.kill(c.mixed[0]); },
      [&](cluster& c) {
        c.expect_idle();
        auto& e = c.heard->end(r.request);
        BOOST_REQUIRE((e.reason == finish_reason::length
                       || e.reason == finish_reason::error));
        if (e.reason == finish_reason::error)
          BOOST_TEST((e.code == errc::no_node || e.code == errc::abandoned));
      });
}

BOOST_AUTO_TEST_CASE(a_gateway_or_a_client_that_leaves_after_every_message) {
  auto r = varied_request(1, 4);
  for (auto gateway : {false, true})
    at_every_message(
        {.mixed = 1}, r,
        [&](cluster& c) {
          if (gateway)
            c.sim.kill(c.gate);
          else
            c.sim.kill(c.client);
        },
        [&](cluster& c) {
          c.sim.drain();
          expect_empty(c.status(c.mixed[0]));
        });
}

BOOST_AUTO_TEST_SUITE_END()
