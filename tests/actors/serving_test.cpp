#include <boost/test/unit_test.hpp>

#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// The whole way, gateway to decode node, on the tiny model.

BOOST_AUTO_TEST_SUITE(serving)

BOOST_AUTO_TEST_CASE(an_answer_is_that_of_a_plain_loop) {
  for (uint32_t n = 0; n < 8; ++n) {
    auto c = cluster{};
    auto r = varied_request(n, 20);
    c.submit(r);
    c.expect_idle();
    c.expect_exact(r);
    // One message a step, one token a message.
    BOOST_TEST(c.answer(r.request).events == 20u);
  }
}

BOOST_AUTO_TEST_CASE(sixteen_at_once_answer_as_each_alone) {
  for (uint64_t seed : {0, 1, 2}) {
    auto c = cluster{{.max_batch = 16, .seed = seed}};
    for (uint32_t n = 0; n < 16; ++n)
      c.submit(varied_request(n));
    c.expect_idle();
    for (uint32_t n = 0; n < 16; ++n)
      c.expect_exact(varied_request(n));
  }
}

BOOST_AUTO_TEST_CASE(they_really_share_steps) {
  auto c = cluster{{.push_bytes = 1 << 20, .max_batch = 16}};
  for (uint32_t n = 0; n < 16; ++n)
    c.submit(varied_request(n, 40));
  c.expect_idle();
  BOOST_TEST(c.status(c.decodes[0]).largest_batch > 8u);
}

BOOST_AUTO_TEST_CASE(more_sequences_than_rows_take_turns) {
  auto c = cluster{{.push_bytes = 1 << 20, .max_batch = 3}};
  for (uint32_t n = 0; n < 10; ++n)
    c.submit(varied_request(n));
  c.expect_idle();
  for (uint32_t n = 0; n < 10; ++n)
    c.expect_exact(varied_request(n));
  BOOST_TEST(c.status(c.decodes[0]).largest_batch == 3u);
}

BOOST_AUTO_TEST_CASE(chunks_threads_and_topology_do_not_show) {
  for (auto o : {cluster_options{.prefill_chunk = 64},
                 cluster_options{.prefill_chunk = 1},
                 cluster_options{.prefill_chunk = 37, .threads = 2},
                 cluster_options{.prefills = 2, .decodes = 3},
                 cluster_options{.mixed = 1},
                 cluster_options{.prefill_chunk = 64, .mixed = 3, .seed = 6},
                 cluster_options{.prefills = 3, .decodes = 2, .seed = 7}}) {
    auto c = cluster{o};
    for (uint32_t n = 0; n < 9; ++n)
      c.submit(varied_request(n));
    c.expect_idle();
    for (uint32_t n = 0; n < 9; ++n)
      c.expect_exact(varied_request(n));
  }
}

BOOST_AUTO_TEST_CASE(few_blocks_make_requests_wait_not_fail) {
  for (uint64_t seed : {0, 3, 4, 5}) {
    auto c = cluster{{.prefill_blocks = 5, .decode_blocks = 6, .seed = seed}};
    for (uint32_t n = 0; n < 12; ++n)
      c.submit(varied_request(n));
    c.expect_idle();
    for (uint32_t n = 0; n < 12; ++n)
      c.expect_exact(varied_request(n));
  }
}

BOOST_AUTO_TEST_CASE(a_sequence_that_can_never_fit_is_refused) {
  auto c = cluster{{.decode_blocks = 2}};
  auto r = varied_request(0);
  r.prompt.assign(30, 5);
  r.max_tokens = 40;
  c.submit(r);
  c.expect_idle();
  BOOST_TEST((c.heard->end(r.request).code == errc::no_free_blocks));
  auto d = cluster{{.prefill_blocks = 1}};
  d.submit(r);
  d.expect_idle();
  BOOST_TEST((d.heard->end(r.request).code == errc::no_free_blocks));
}

BOOST_AUTO_TEST_CASE(the_context_can_be_filled_to_the_brim) {
  auto c = cluster{};
  auto r = varied_request(3, 0);
  c.submit(r);
  c.expect_idle();
  r.max_tokens = shared_tiny_model()->params.context
                 - static_cast<uint32_t>(r.prompt.size());
  c.expect_exact(r);
}

BOOST_AUTO_TEST_CASE(an_answer_of_one_token_needs_no_decode_step) {
  auto c = cluster{};
  auto r = varied_request(2, 1);
  c.submit(r);
  c.expect_idle();
  c.expect_exact(r);
  BOOST_TEST(c.status(c.decodes[0]).steps == 0u);
}

BOOST_AUTO_TEST_CASE(an_end_token_ends_wherever_it_falls) {
  auto r = varied_request(4, 12);
  auto all = plain_answer(r);
  // Every token of the answer in turn is the end token.
  for (size_t i = 0; i < all.size(); ++i) {
    auto end = all[i];
    auto first = std::find(all.begin(), all.end(), end) - all.begin();
    auto c = cluster{};
    auto g = gateway_options{};
    g.registry = c.reg;
    g.vocab = shared_tiny_model()->params.vocab;
    g.context = shared_tiny_model()->params.context;
    g.end_tokens = {end};
    auto gate = c.sim.spawn(gateway, g);
    auto with_end = r;
    with_end.ignore_end = false;
    caf::anon_send(gate, submit{with_end, c.client});
    c.sim.drain();
    auto& e = c.heard->end(r.request);
    BOOST_TEST((e.reason == finish_reason::stop));
    BOOST_TEST(e.completion_tokens == static_cast<uint32_t>(first));
    expect_empty(c.status(c.prefills[0]));
    expect_empty(c.status(c.decodes[0]));
  }
}

BOOST_AUTO_TEST_CASE(log_probabilities_come_with_each_token) {
  auto c = cluster{};
  auto r = varied_request(5, 6);
  r.sampling.want_logprob = true;
  r.sampling.logprobs = 3;
  c.submit(r);
  c.expect_idle();
  auto& a = c.answer(r.request);
  BOOST_REQUIRE_EQUAL(a.details.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    BOOST_TEST(a.details[i].id == a.tokens[i]);
    BOOST_TEST(a.details[i].logprob < 0.f);
    BOOST_TEST(a.details[i].top.size() == 3u);
  }
}

// -- at every moment ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(cancel_after_every_message) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    auto o = cluster_options{.prefills = 1, .decodes = 1, .seed = seed};
    auto r = varied_request(1, 6);
    auto cancelled = 0;
    auto ks = at_every_message(
        o, r, [&](cluster& c) { c.cancel(r.request); },
        [&](cluster& c) {
          c.expect_idle();
          auto& e = c.heard->end(r.request);
          auto expected = plain_answer(r);
          auto& got = c.answer(r.request).tokens;
          cancelled += e.reason == finish_reason::cancelled;
          BOOST_REQUIRE((e.reason == finish_reason::cancelled
                         || e.reason == finish_reason::length));
          BOOST_REQUIRE_LE(got.size(), expected.size());
          BOOST_REQUIRE(std::equal(got.begin(), got.end(), expected.begin()));
        });
    BOOST_TEST(ks > 25u);
    BOOST_TEST(cancelled > 20);
  }
}

BOOST_AUTO_TEST_CASE(cancelling_one_leaves_the_others_alone) {
  auto r = varied_request(1, 6);
  auto other = varied_request(2, 6);
  for (uint64_t seed = 0; seed < 4; ++seed)
    at_every_message(
        {.prefill_blocks = 4, .decode_blocks = 5, .seed = seed}, r,
        [&](cluster& c) {
          c.submit(other);
          c.sim.run(5);
          c.cancel(r.request);
        },
        [&](cluster& c) {
          c.expect_idle();
          c.heard->end(r.request);
          c.expect_exact(other);
        });
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_after_every_message) {
  auto r = varied_request(1, 4);
  at_every_message(
      {}, r, [&](cluster& c) { c.sim.kill(c.client); },
      [&](cluster& c) {
        c.sim.drain();
        expect_empty(c.status(c.prefills[0]));
        expect_empty(c.status(c.decodes[0]));
      });
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_after_every_message) {
  auto r = varied_request(1, 6);
  for (uint64_t seed = 0; seed < 4; ++seed) {
    auto o = cluster_options{.prefills = 2, .decodes = 2, .seed = seed};
    at_every_message(
        o, r, [&](cluster& c) { c.sim.kill(c.prefills[0]); },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(r);
        });
    at_every_message(
        o, r, [&](cluster& c) { c.sim.kill(c.decodes[0]); },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(r);
        });
  }
}

BOOST_AUTO_TEST_CASE(both_nodes_of_a_placement_die_with_others_in_flight) {
  auto r = varied_request(1, 5);
  for (uint64_t seed = 0; seed < 4; ++seed)
    at_every_message(
        {.prefills = 2, .decodes = 2, .seed = seed}, r,
        [&](cluster& c) {
          for (uint32_t n = 2; n < 5; ++n)
            c.submit(varied_request(n, 5));
          c.sim.run(10);
          c.sim.kill(c.decodes[0]);
          c.sim.run(7);
          c.sim.kill(c.prefills[0]);
        },
        [&](cluster& c) {
          c.expect_idle();
          for (uint32_t n = 1; n < 5; ++n)
            c.expect_exact(varied_request(n, 5));
        });
}

BOOST_AUTO_TEST_CASE(the_only_node_dies_after_every_message) {
  auto r = varied_request(1, 5);
  at_every_message(
      {}, r, [&](cluster& c) { c.sim.kill(c.decodes[0]); },
      [&](cluster& c) {
        c.expect_idle();
        auto& e = c.heard->end(r.request);
        BOOST_REQUIRE((e.reason == finish_reason::length
                       || e.reason == finish_reason::error));
        if (e.reason == finish_reason::error)
          BOOST_TEST((e.code == errc::no_node || e.code == errc::abandoned));
      });
}

BOOST_AUTO_TEST_CASE(a_gateway_that_dies_after_every_message) {
  auto r = varied_request(1, 5);
  at_every_message(
      {}, r, [&](cluster& c) { c.sim.kill(c.gate); },
      [&](cluster& c) {
        c.sim.drain();
        expect_empty(c.status(c.prefills[0]));
        expect_empty(c.status(c.decodes[0]));
      });
}

BOOST_AUTO_TEST_SUITE_END()
