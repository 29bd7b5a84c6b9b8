#include <boost/test/unit_test.hpp>

#include "actors/decode_node.hpp"
#include "tests/support/actors/cluster.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// Nodes that keep tokens to send several at a time. Time stands still in these
// tests, so that they keep them for as long as they ever may.

namespace {

sequence_output said(uint32_t index, std::vector<token_id> tokens,
                     seq_id seq = 1) {
  auto o = sequence_output{};
  o.seq = seq;
  o.epoch = 1;
  o.index = index;
  o.tokens = std::move(tokens);
  return o;
}

using list = std::vector<token_id>;

// Outputs of two steps, of which the first `kept` are older.
routed_outputs joined(std::vector<sequence_output> parts, size_t kept) {
  auto all = routed_outputs{};
  for (auto& p : parts)
    all.emplace_back(stream_actor{}, std::move(p));
  join_outputs(all, kept);
  return all;
}

// A node whose stream is the test.
struct fixture {
  sim_system sim;
  std::shared_ptr<std::vector<sequence_output>> heard =
      std::make_shared<std::vector<sequence_output>>();
  stream_actor stream = sim.spawn(fake_stream, heard);
  decode_actor node = sim.spawn(
      decode_node,
      tiny_node(1, tiny_arena(), 32,
                {.prefill_chunk = 32, .max_batch = 4, .gather_within = 1s}));

  fixture() {} // no aggregate: sim_system's constructor is explicit

  prefill_job job(seq_id seq, uint32_t tokens, size_t prompt = 20) {
    auto j = prefill_job{};
    j.spec.request = 70 + seq;
    j.spec.seq = seq;
    j.spec.epoch = 1;
    j.spec.prompt = list(prompt, static_cast<token_id>(6 + seq));
    j.spec.max_tokens = tokens;
    j.stream = stream;
    return j;
  }

  size_t tokens(seq_id seq) const {
    auto n = size_t{0};
    for (auto& o : *heard)
      if (o.seq == seq) {
        BOOST_TEST(o.index == n);
        n += o.tokens.size();
      }
    return n;
  }
};

const auto shapes = {
    cluster_options{.decodes = 2, .gather_within = 1s},
    cluster_options{.mixed = 2, .cached_blocks = 8, .gather_within = 1s}};

} // namespace

BOOST_AUTO_TEST_SUITE(gathered_outputs)

// -- what is joined -----------------------------------------------------------

BOOST_AUTO_TEST_CASE(tokens_that_follow_are_joined) {
  auto last = said(4, {14});
  last.reason = finish_reason::length;
  auto all = joined(
      {said(2, {12}), said(7, {27}, 2), said(3, {13}), said(8, {28}, 2)}, 2);
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(all[0].second.index == 2u);
  BOOST_TEST((all[0].second.tokens == list{12, 13}));
  BOOST_TEST((all[1].second.tokens == list{27, 28}));
  all.emplace_back(stream_actor{}, last);
  join_outputs(all, 2);
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST((all[0].second.tokens == list{12, 13, 14}));
  BOOST_TEST((all[0].second.reason == finish_reason::length));
}

BOOST_AUTO_TEST_CASE(log_probabilities_go_with_their_tokens) {
  auto a = said(0, {1});
  a.details = {{1, -0.5f, {}}};
  auto b = said(1, {2});
  b.details = {{2, -1.5f, {}}};
  auto all = joined({a, b}, 1);
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_REQUIRE(all[0].second.details.size() == 2u);
  BOOST_TEST(all[0].second.details[1].logprob == -1.5f);
}

BOOST_AUTO_TEST_CASE(what_does_not_follow_stays_apart) {
  auto apart = [](auto change) {
    auto next = said(3, {13});
    change(next);
    auto all = joined({said(2, {12}), next}, 1);
    BOOST_TEST(all.size() == 2u);
    BOOST_TEST((all[0].second.tokens == list{12}));
  };
  apart([](auto& o) { o.index = 4; });
  apart([](auto& o) { o.epoch = 2; });
  apart([](auto& o) { o.seq = 2; });
  apart([](auto& o) { o.preempted = put_away::swapped; });
  apart([](auto& o) { o.queue_ns = 1; });
  apart([](auto& o) {
    o.reason = finish_reason::error;
    o.code = errc::no_free_blocks;
  });
  // Nor what comes after something that stands alone.
  auto put_away_now = said(3, {});
  put_away_now.preempted = put_away::swapped;
  BOOST_TEST(joined({said(2, {12}), put_away_now, said(3, {13})}, 1).size()
             == 3u);
}

// -- what a node keeps --------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(all_but_the_first_and_the_last_step_wait, fixture) {
  caf::anon_send(node, job(1, 9));
  sim.run();
  BOOST_REQUIRE(heard->size() == 2u);
  BOOST_TEST(heard->at(0).tokens.size() == 1u);
  BOOST_TEST(heard->at(1).tokens.size() == 8u);
  BOOST_TEST((heard->at(1).reason == finish_reason::length));
}

BOOST_FIXTURE_TEST_CASE(a_message_is_many_steps_while_nothing_waits, fixture) {
  caf::anon_send(node, job(1, 90));
  while (heard->empty())
    sim.step();
  sim.run(2);
  BOOST_TEST(heard->size() == 1u);
  // What comes now waits for one step, and takes all along that is known.
  caf::anon_send(node, cancel_sequence{99, 1});
  caf::anon_send(node, cancel_sequence{99, 1});
  sim.run(3);
  BOOST_TEST(heard->size() == 2u);
  BOOST_TEST(tokens(1) == 1u + 2 * 16 + 1);
  sim.run();
  BOOST_TEST(tokens(1) == 90u);
}

BOOST_FIXTURE_TEST_CASE(nobody_waits_for_the_prompt_of_another, fixture) {
  caf::anon_send(node, job(1, 90));
  while (heard->empty())
    sim.step();
  sim.run(1);
  caf::anon_send(node, job(2, 5, 90));
  while (tokens(2) == 0)
    BOOST_REQUIRE(sim.step());
  // With the job went what was known; from there on each step, with one chunk
  // of the prompt after the other, had its message.
  BOOST_TEST(heard->size() > 6u);
  for (size_t i = 2; i < heard->size(); ++i)
    BOOST_TEST(heard->at(i).tokens.size() == 1u);
  BOOST_TEST(tokens(1) >= 17u);
  BOOST_TEST(tokens(1) < 25u);
  sim.run();
  BOOST_TEST(tokens(1) == 90u);
  BOOST_TEST(tokens(2) == 5u);
}

BOOST_FIXTURE_TEST_CASE(an_end_takes_the_others_tokens_along, fixture) {
  caf::anon_send(node, job(1, 40));
  caf::anon_send(node, job(2, 7));
  while (heard->empty() || heard->back().reason == finish_reason::none)
    BOOST_REQUIRE(sim.step());
  BOOST_TEST(tokens(2) == 7u);
  BOOST_TEST(tokens(1) >= 6u);
  BOOST_TEST(tokens(1) < 12u);
  sim.run();
  BOOST_TEST(tokens(1) == 40u);
}

// -- what clients see ---------------------------------------------------------

BOOST_AUTO_TEST_CASE(answers_are_those_of_a_plain_loop) {
  for (uint64_t seed : {0, 1, 2})
    for (auto o : shapes) {
      o.seed = seed;
      auto c = cluster{o};
      for (uint32_t n = 0; n < 16; ++n)
        c.submit(varied_request(n, 30));
      c.expect_idle();
      for (uint32_t n = 0; n < 16; ++n)
        c.expect_exact(varied_request(n, 30));
    }
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_with_tokens_it_kept) {
  auto r = varied_request(1, 20);
  for (auto& o : shapes)
    at_every_message(
        o, r,
        [&](cluster& c) {
          c.submit(varied_request(2, 6));
          c.sim.run(4);
          c.sim.kill(o.mixed > 0 ? c.mixed[0] : c.decodes[0]);
        },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(r);
          c.expect_exact(varied_request(2, 6));
        });
}

BOOST_AUTO_TEST_CASE(preemption_at_any_moment_does_not_show) {
  auto r = varied_request(4, 30);
  for (auto way : {preempt_way::swap, preempt_way::recompute})
    at_every_message(
        {.mixed = 1, .store_blocks = 16, .gather_within = 1s}, r,
        [&](cluster& c) {
          caf::anon_send(c.mixed[0], preempt_sequence{r.request, way});
        },
        [&](cluster& c) {
          c.expect_idle();
          c.expect_exact(r);
        });
}

BOOST_AUTO_TEST_CASE(cancellation_at_any_moment_leaves_nothing) {
  auto r = varied_request(1, 20);
  auto expected = plain_answer(r);
  auto cancelled = 0;
  at_every_message(
      {.mixed = 1, .gather_within = 1s}, r,
      [&](cluster& c) { c.cancel(r.request); },
      [&](cluster& c) {
        c.expect_idle();
        cancelled += c.heard->end(r.request).reason == finish_reason::cancelled;
        auto& got = c.answer(r.request).tokens;
        BOOST_REQUIRE_LE(got.size(), expected.size());
        BOOST_REQUIRE(std::equal(got.begin(), got.end(), expected.begin()));
      });
  BOOST_TEST(cancelled > 5);
}

BOOST_AUTO_TEST_CASE(each_event_has_one_token_however_they_came) {
  auto c = cluster{{.mixed = 1, .gather_within = 1s}};
  auto r = varied_request(3, 25);
  c.submit(r);
  c.expect_idle();
  c.expect_exact(r);
  BOOST_TEST(c.answer(r.request).events == 25u);
}

BOOST_AUTO_TEST_CASE(an_answer_that_stops_says_the_same_however_tokens_came) {
  // By which tokens it stops, and where the text ends, depends on no grouping.
  auto answer_of = [](size_t group) {
    auto f = faked_front{};
    f.open();
    auto ids = f.text->encode("once upon a time there was an owl");
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = 40;
    r.stop = {"there"};
    auto id = f.start(r);
    for (size_t i = 0; i < ids.size(); i += group) {
      auto n = std::min(group, ids.size() - i);
      f.say(static_cast<uint32_t>(i),
            list(ids.begin() + static_cast<ptrdiff_t>(i),
                 ids.begin() + static_cast<ptrdiff_t>(i + n)));
    }
    f.sim.drain();
    BOOST_TEST((f.heard->end(id).reason == finish_reason::stop));
    BOOST_TEST(f.heard->end(id).completion_tokens
               == f.answer(id).tokens.size());
    return f.answer(id);
  };
  auto one = answer_of(1);
  BOOST_TEST(one.text.find("time") != std::string::npos);
  BOOST_TEST(one.text.find("there") == std::string::npos);
  for (size_t group : {2, 3, 7, 40}) {
    auto many = answer_of(group);
    BOOST_TEST(many.text == one.text);
    BOOST_TEST((many.tokens == one.tokens));
    BOOST_TEST(many.events == one.events);
  }
}

BOOST_AUTO_TEST_SUITE_END()
