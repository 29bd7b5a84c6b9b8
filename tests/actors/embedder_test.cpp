#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/gateway.hpp"
#include "tests/support/actors/cluster.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// 3 requests and 100 tokens of prompts, all in a minute, 2 requests at a time.
limits_table table() {
  auto t = limits_table{};
  auto& acme = t.organisations["acme"].limits;
  acme.requests = rate_limit{3, 60s, 3};
  acme.input_tokens = rate_limit{100, 60s, 100};
  acme.output_tokens = rate_limit{10, 60s, 10};
  acme.concurrency = 2;
  return t;
}

// The real gateway, embedders and sessions between fakes.
struct fixture {
  sim_system sim;
  std::shared_ptr<embed_log> heard = std::make_shared<embed_log>();
  std::shared_ptr<node_log> prefills = std::make_shared<node_log>();
  std::shared_ptr<node_log> decodes = std::make_shared<node_log>();
  std::shared_ptr<registry_script> script = std::make_shared<registry_script>();
  embed_client_actor client = sim.spawn(fake_embed_client, heard);
  prefill_actor prefill = sim.spawn(fake_prefill, prefills);
  decode_actor decode = sim.spawn(fake_decode, decodes);
  registry_actor reg = sim.spawn(fake_registry, script);
  std::shared_ptr<rate_limiter> limits =
      std::make_shared<rate_limiter>(table(), now());
  gateway_actor gate;

  explicit fixture(uint32_t max_sessions = 100) {
    script->place = [this](const place_request&) {
      return placement{1, prefill, 2, decode};
    };
    auto o = gateway_options{};
    o.registry = reg;
    o.vocab = tiny_vocab_size;
    o.context = 64;
    o.max_sessions = max_sessions;
    o.session.limits = limits;
    gate = sim.spawn(gateway, o);
  }

  time_point now() { return time_point{sim.scheduler().clock().now()}; }

  embed_request request(size_t inputs, size_t tokens = 3) {
    auto r = embed_request{};
    r.organisation = "acme";
    r.key = "laptop";
    r.model = "tiny";
    for (size_t i = 0; i < inputs; ++i)
      r.inputs.emplace_back(tokens, static_cast<token_id>(10 + i));
    return r;
  }

  request_id start(embed_request r) {
    return sim.ask<admitted>(gate, submit_embed{std::move(r), client}).request;
  }

  error refusal(embed_request r) {
    return from_caf(
        sim.ask_error<admitted>(gate, submit_embed{std::move(r), client}));
  }

  // What a node says of the nth job.
  void say(size_t n, std::vector<float> state,
           finish_reason reason = finish_reason::stop, errc code = errc::none) {
    auto job = prefills->jobs.at(n);
    auto o = output_for(job, 0, {}, reason, code);
    o.state = std::move(state);
    emit(job, std::move(o));
    sim.run();
  }

  void cancel(request_id id) {
    caf::anon_send(gate, cancel_request{id});
    sim.run();
  }

  // One end of this kind; nodes told, all released, nobody left.
  const finish_event& ended(request_id id, finish_reason reason) {
    sim.drain();
    auto& e = heard->end(id);
    BOOST_TEST((e.reason == reason),
               "reason " << int(e.reason) << ": " << e.message);
    BOOST_TEST(script->released.size() == script->asked.size());
    BOOST_TEST(prefills->cancels.size() == prefills->jobs.size());
    BOOST_TEST(sim.alive() == 5u); // fakes and gateway
    return e;
  }

  std::map<uint32_t, std::vector<float>>& vectors(request_id id) {
    return heard->answers[id].vectors;
  }

  uint64_t left(limited what) {
    auto who = limits->resolve({"acme", "laptop", "tiny"}, now());
    return limits->status(who, now())[static_cast<size_t>(what)]->left;
  }

  void expect_left(uint64_t requests, uint64_t input, uint64_t under_way) {
    BOOST_TEST(left(limited::requests) == requests);
    BOOST_TEST(left(limited::input_tokens) == input);
    BOOST_TEST(left(limited::output_tokens) == 10u);
    BOOST_TEST(left(limited::concurrency) == 2 - under_way);
  }
};

struct crowded : fixture {
  crowded() : fixture(3) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(embedder_suite)

BOOST_FIXTURE_TEST_CASE(bad_requests_are_refused_in_one_sentence, fixture) {
  auto refused = [&](auto change, errc why, std::string says) {
    auto r = request(2);
    change(r);
    auto e = refusal(r);
    BOOST_TEST((e.code == why), to_string(e));
    BOOST_TEST(e.message.find(says) != std::string::npos, e.message);
  };
  auto bad = errc::invalid_argument;
  refused([](auto& r) { r.inputs.clear(); }, bad, "0 inputs; 1 to 2048");
  refused([](auto& r) { r.inputs.resize(2049, {1}); }, bad, "2049 inputs");
  refused([](auto& r) { r.inputs[1].clear(); }, bad, "input 1 is empty");
  refused([](auto& r) { r.inputs[1] = {5, -1}; }, bad, "token 1 of input 1");
  refused([](auto& r) { r.inputs[0] = {300}; }, bad, "token 0 of input 0");
  refused([](auto& r) { r.inputs[1].assign(65, 1); }, errc::context_exceeded,
          "input 1 has 65 tokens; the context holds 64");
  refused([](auto& r) { r.inputs.assign(2048, std::vector<token_id>(147, 1)); },
          bad, "301056 tokens together; at most 300000");
  refused([](auto& r) { r.key.assign(max_name_bytes + 1, 'k'); }, bad, "name");
  auto mute = from_caf(sim.ask_error<admitted>(
      gate, submit_embed{request(1), embed_client_actor{}}));
  BOOST_TEST((mute.code == bad));
  BOOST_TEST(sim.alive() == 5u);
  expect_left(3, 100, 0);
}

BOOST_FIXTURE_TEST_CASE(each_input_has_its_vector, fixture) {
  auto r = request(3);
  r.inputs[2].assign(64, 9); // fills the context
  auto id = start(r);
  BOOST_REQUIRE_EQUAL(prefills->jobs.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    auto& j = prefills->jobs[i];
    BOOST_TEST(j.spec.embed);
    BOOST_TEST(j.spec.max_tokens == 0u);
    BOOST_TEST((j.spec.prompt == r.inputs[i]));
    BOOST_TEST(!j.decode);
    BOOST_TEST(script->asked[i].prompt_only);
    BOOST_TEST(script->asked[i].prefix.empty());
  }
  expect_left(2, 30, 1);
  say(1, {3, 4});
  say(0, {0, -2});
  BOOST_TEST(heard->answers[id].finishes.empty());
  say(0, {1, 1}); // comes again
  say(2, {5, 12});
  auto& e = ended(id, finish_reason::stop);
  BOOST_TEST(e.prompt_tokens == 70u);
  BOOST_TEST(e.completion_tokens == 0u);
  BOOST_TEST(e.version == 1u);
  BOOST_TEST((vectors(id)[0] == std::vector<float>{0, -1}));
  BOOST_TEST((vectors(id)[1] == std::vector<float>{0.6f, 0.8f}));
  BOOST_TEST((vectors(id)[2] == std::vector<float>{5 / 13.f, 12 / 13.f}));
  expect_left(2, 30, 0);                // spent
  BOOST_TEST(decodes->cancels.empty()); // it never heard of them
}

BOOST_FIXTURE_TEST_CASE(dimensions_are_cut_before_the_length_is_one, fixture) {
  auto r = request(1);
  r.dimensions = 2;
  auto id = start(r);
  say(0, {3, 4, 100});
  ended(id, finish_reason::stop);
  BOOST_TEST((vectors(id)[0] == std::vector<float>{0.6f, 0.8f}));
  r.dimensions = 4;
  id = start(r);
  say(1, {3, 4, 100});
  auto& e = ended(id, finish_reason::error);
  BOOST_TEST((e.code == errc::invalid_argument));
  expect_left(2, 97, 0); // the second is given back
}

BOOST_FIXTURE_TEST_CASE(so_many_inputs_are_under_way_and_no_more, fixture) {
  auto id = start(request(40, 1));
  for (size_t done = 0; done < 40; ++done) {
    BOOST_TEST(prefills->jobs.size()
               == std::min<size_t>(40, done + embedder_state::at_once));
    say(done, {1, static_cast<float>(done)});
  }
  ended(id, finish_reason::stop);
  BOOST_TEST(vectors(id).size() == 40u);
  for (uint32_t i = 1; i < 40; ++i)
    BOOST_TEST(vectors(id)[i][0] < vectors(id)[i - 1][0]);
  expect_left(2, 60, 0);
}

BOOST_FIXTURE_TEST_CASE(one_failure_ends_all, fixture) {
  auto id = start(request(20));
  say(3, {1});
  say(2, {}, finish_reason::error, errc::unsupported);
  auto& e = ended(id, finish_reason::error);
  BOOST_TEST((e.code == errc::unsupported));
  BOOST_TEST(prefills->jobs.size() == 17u); // no others were begun
  expect_left(3, 100, 0);                   // nothing was had
}

BOOST_FIXTURE_TEST_CASE(what_has_no_direction_is_an_error, fixture) {
  for (auto& state :
       {std::vector<float>{0, 0},
        std::vector<float>{std::numeric_limits<float>::infinity(), 1}}) {
    auto id = start(request(1));
    say(prefills->jobs.size() - 1, state);
    BOOST_TEST((ended(id, finish_reason::error).code == errc::bad_file));
  }
}

BOOST_FIXTURE_TEST_CASE(a_node_that_fails_is_replaced, fixture) {
  auto id = start(request(1));
  say(0, {}, finish_reason::error, errc::abandoned);
  sim.drain();
  BOOST_REQUIRE_EQUAL(prefills->jobs.size(), 2u);
  BOOST_TEST(prefills->jobs[1].spec.epoch > prefills->jobs[0].spec.epoch);
  BOOST_TEST((script->asked[1].avoid == std::vector<node_id>{1, 2}));
  say(1, {1});
  ended(id, finish_reason::stop);
}

BOOST_FIXTURE_TEST_CASE(who_cancels_pays_for_what_was_begun, fixture) {
  auto id = start(request(20));
  say(0, {1});
  cancel(id);
  ended(id, finish_reason::cancelled);
  expect_left(2, 40, 0);
  cancel(id); // harmless
  BOOST_TEST(heard->answers[id].finishes.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_dies_has_cancelled, fixture) {
  start(request(20));
  sim.kill(client);
  sim.drain();
  BOOST_TEST(sim.alive() == 4u);
  BOOST_TEST(prefills->cancels.size() == prefills->jobs.size());
  BOOST_TEST(script->released.size() == script->asked.size());
  expect_left(2, 40, 0);
}

BOOST_FIXTURE_TEST_CASE(a_gateway_that_dies_ends_it, fixture) {
  auto id = start(request(20));
  sim.kill(gate);
  sim.drain();
  BOOST_TEST((heard->end(id).code == errc::abandoned));
  BOOST_TEST(sim.alive() == 4u);
  BOOST_TEST(prefills->cancels.size() == prefills->jobs.size());
}

BOOST_FIXTURE_TEST_CASE(limits_are_those_of_one_request, fixture) {
  auto a = start(request(20)); // 60 tokens
  auto b = start(request(20)); // of the 40 that are left
  auto& e = heard->end(b);
  BOOST_TEST((e.code == errc::overloaded));
  BOOST_TEST(e.retry_after_ns == duration{12s}.count()); // 20 tokens
  BOOST_TEST(prefills->jobs.size() == 16u);
  BOOST_TEST((heard->end(start(request(34))).code == errc::invalid_argument));
  auto nobody = request(1);
  nobody.organisation = "nobody";
  BOOST_TEST((heard->end(start(nobody)).code == errc::invalid_argument));
  nobody.unlimited = true;
  auto c = start(nobody);
  say(prefills->jobs.size() - 1, {1});
  BOOST_TEST((heard->end(c).reason == finish_reason::stop));
  cancel(a);
  ended(a, finish_reason::cancelled);
}

BOOST_FIXTURE_TEST_CASE(a_crowded_gateway_takes_them_one_by_one, crowded) {
  auto id = start(request(6)); // it counts itself: two sessions at a time
  for (size_t i = 0; i < 6; ++i) {
    BOOST_TEST(prefills->jobs.size() == std::min<size_t>(6, i + 2));
    say(i, {1});
  }
  ended(id, finish_reason::stop);
  BOOST_TEST(vectors(id).size() == 6u);
}

BOOST_FIXTURE_TEST_CASE(with_no_room_at_all_it_is_refused, crowded) {
  for (auto i = 0; i < 3; ++i) {
    auto r = request(1);
    r.unlimited = true;
    start(r);
  }
  // Two embedders and one session fill it.
  BOOST_TEST(prefills->jobs.size() == 1u);
  auto refused = 0;
  for (auto& [id, a] : heard->answers)
    for (auto& f : a.finishes)
      refused += f.code == errc::overloaded;
  BOOST_TEST(refused > 0);
}

// -- with real nodes ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(vectors_are_those_of_a_plain_loop) {
  for (auto o :
       {cluster_options{}, cluster_options{.prefill_chunk = 64},
        cluster_options{.prefills = 3, .decodes = 2, .seed = 7},
        cluster_options{.prefills = 0, .decodes = 2},
        cluster_options{.prefills = 2, .decodes = 0},
        cluster_options{.mixed = 1, .mixed_blocks = 10, .cached_blocks = 4},
        cluster_options{.prefill_chunk = 256, .threads = 2, .mixed = 2},
        cluster_options{.mixed = 1, .mixed_blocks = 12, .preempt = true},
        cluster_options{.mixed = 3, .cached_blocks = 16, .seed = 3}}) {
    auto c = cluster{o};
    auto generates = o.decodes > 0 || o.mixed > 0;
    for (uint32_t n = 0; n < 4; ++n) {
      auto r = varied_embed_request(n, 1 + 9 * n);
      r.dimensions = n % 2 * 20;
      c.submit(r);
      if (generates)
        c.submit(varied_request(n));
    }
    c.expect_idle();
    for (uint32_t n = 0; n < 4; ++n) {
      auto r = varied_embed_request(n, 1 + 9 * n);
      r.dimensions = n % 2 * 20;
      c.expect_exact(r);
      if (generates)
        c.expect_exact(varied_request(n));
    }
  }
}

// Runs requests beside each other, and interrupts after each number of
// messages.
template <class Interrupt, class Verify>
void at_every_message_of(const cluster_options& o, const embed_request& r,
                         Interrupt interrupt, Verify verify) {
  for (size_t k = 0;; ++k) {
    BOOST_TEST_CONTEXT("interrupted after message " << k << ", seed "
                                                    << o.seed) {
      auto c = cluster{o};
      c.submit(r);
      auto over = c.sim.run(k) < k;
      interrupt(c);
      verify(c);
      if (over)
        return;
    }
  }
}

BOOST_AUTO_TEST_CASE(cancel_after_every_message) {
  auto r = varied_embed_request(1);
  for (auto mixed : {0u, 1u})
    for (uint64_t seed : {0, 1}) {
      auto cancelled = 0;
      at_every_message_of(
          {.mixed = mixed, .mixed_blocks = 8, .seed = seed}, r,
          [&](cluster& c) { c.cancel(r.request); },
          [&](cluster& c) {
            c.expect_idle();
            auto& e = c.embedded->end(r.request);
            if (e.reason == finish_reason::cancelled)
              ++cancelled;
            else
              c.expect_exact(r);
          });
      BOOST_TEST(cancelled > 10);
    }
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_after_every_message) {
  auto r = varied_embed_request(2);
  for (uint64_t seed : {0, 1}) {
    at_every_message_of(
        {.mixed = 2, .seed = seed}, r,
        [](cluster& c) { c.sim.kill(c.mixed[0]); },
        [&](cluster& c) { c.expect_idle(), c.expect_exact(r); });
    at_every_message_of(
        {.prefills = 2, .seed = seed}, r,
        [](cluster& c) { c.sim.kill(c.prefills[0]); },
        [&](cluster& c) { c.expect_idle(), c.expect_exact(r); });
    // Of no interest to it.
    at_every_message_of(
        {.seed = seed}, r, [](cluster& c) { c.sim.kill(c.decodes[0]); },
        [&](cluster& c) { c.expect_idle(), c.expect_exact(r); });
  }
}

BOOST_AUTO_TEST_CASE(the_only_node_dies_after_every_message) {
  auto r = varied_embed_request(3);
  at_every_message_of(
      {.mixed = 1}, r, [](cluster& c) { c.sim.kill(c.mixed[0]); },
      [&](cluster& c) {
        c.expect_idle();
        auto& e = c.embedded->end(r.request);
        if (e.reason == finish_reason::stop)
          return c.expect_exact(r);
        BOOST_TEST((e.code == errc::no_node || e.code == errc::abandoned));
      });
}

BOOST_AUTO_TEST_CASE(a_prefill_node_has_nothing_that_could_move) {
  auto c = cluster{{.prefills = 1, .decodes = 2}};
  auto r = generate_request{};
  r.request = 77;
  r.prompt.assign(200, 5);
  r.embed = true;
  c.submit(r);
  c.sim.run(8);
  auto e =
      from_caf(c.sim.ask_error<migrated>(c.gate, migrate_request{77, 101}));
  BOOST_TEST((e.code == errc::unknown_sequence));
  c.expect_idle();
  auto& end = c.heard->end(77);
  BOOST_TEST((end.reason == finish_reason::stop));
  BOOST_TEST((end.state == plain_state(r.prompt)));
}

BOOST_AUTO_TEST_SUITE_END()
