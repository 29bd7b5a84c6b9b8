#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : faked_front {
  explicit fixture(session_options session = {}) { open(session, 3); }

  generate_request request(uint32_t max_tokens = 8) {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = max_tokens;
    return r;
  }

  error refusal(generate_request r) {
    return from_caf(
        sim.ask_error<admitted>(gate, submit{std::move(r), client}));
  }

  void fail(errc code) { say(0, {}, finish_reason::error, code); }

  // One end of this kind, all nodes told, everything released, nobody left.
  const finish_event& ended(request_id id, finish_reason reason) {
    sim.drain();
    auto& e = heard->end(id);
    BOOST_TEST((e.reason == reason),
               "reason " << int(e.reason) << ": " << e.message);
    BOOST_TEST(script->released.size() == script->asked.size());
    BOOST_TEST(decodes->cancels.size() == prefills->cancels.size());
    BOOST_TEST(sim.alive() == 5u); // fakes and gateway, no session
    return e;
  }

  std::vector<token_id> spell(std::string_view s) { return text->encode(s); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(session_suite)

// -- what is admitted ---------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(bad_requests_are_refused_in_one_sentence, fixture) {
  auto refused = [&](auto change, errc why, std::string says) {
    auto r = request();
    change(r);
    auto e = refusal(r);
    BOOST_TEST((e.code == why), to_string(e));
    BOOST_TEST(e.message.find(says) != std::string::npos, e.message);
    BOOST_TEST(e.message.find('\n') == std::string::npos);
  };
  auto bad = errc::invalid_argument;
  refused([](auto& r) { r.prompt.clear(); }, bad, "empty");
  refused([](auto& r) { r.prompt[1] = -1; }, bad, "token 1 of the prompt");
  refused([](auto& r) { r.prompt[2] = 300; }, bad, "300");
  refused([](auto& r) { r.prompt.assign(64, 1); }, errc::context_exceeded,
          "64");
  refused([](auto& r) { r.prompt.assign(1000, 1); }, errc::context_exceeded,
          "1000 tokens; the context holds 64");
  refused([](auto& r) { r.sampling.temperature = -1.f; }, bad, "temperature");
  refused([](auto& r) { r.sampling.logit_bias = {{300, 1.f}}; }, bad, "");
  refused([](auto& r) { r.stop.assign(17, "x"); }, bad, "stop strings");
  refused([](auto& r) { r.stop = {""}; }, bad, "stop string");
  refused([](auto& r) { r.stop = {std::string(2000, 'x')}; }, bad, "2000");
  auto e = from_caf(sim.ask_error<admitted>(gate, submit{request(), {}}));
  BOOST_TEST((e.code == bad));
  BOOST_TEST(script->asked.empty());
  BOOST_TEST(heard->answers.empty());
}

BOOST_FIXTURE_TEST_CASE(stop_strings_need_a_tokenizer, fixture) {
  auto o = gateway_options{};
  o.registry = reg;
  o.vocab = 300;
  o.context = 64;
  gate = sim.spawn(gateway, o);
  auto r = request();
  r.stop = {"x"};
  BOOST_TEST((refusal(r).code == errc::unsupported));
}

BOOST_FIXTURE_TEST_CASE(requests_are_numbered_and_numbers_are_kept, fixture) {
  auto a = start(request());
  auto r = request();
  r.request = 500;
  BOOST_TEST(start(r) == 500u);
  BOOST_TEST((refusal(r).code == errc::invalid_argument));
  auto b = start(request());
  BOOST_TEST(a != b);
  BOOST_TEST(prefills->jobs[0].spec.seq != prefills->jobs[1].spec.seq);
  BOOST_TEST((refusal(request()).code == errc::overloaded));
  caf::anon_send(gate, cancel_request{a});
  sim.run();
  BOOST_TEST(start(request()) != 0u);
}

BOOST_FIXTURE_TEST_CASE(the_specification_is_complete, fixture) {
  auto r = request(0);
  r.sampling.seed = 5;
  start(r);
  BOOST_TEST(job().spec.prompt == r.prompt, boost::test_tools::per_element());
  BOOST_TEST(job().spec.max_tokens == 61u); // fills the context
  BOOST_TEST(job().spec.end_tokens.size() == 1u);
  BOOST_TEST(job().spec.epoch == next_placement(0));
  BOOST_TEST(job().spec.sampling.seed == 5u);
  r = request(1000);
  r.ignore_end = true;
  start(r);
  BOOST_TEST(job().spec.max_tokens == 61u);
  BOOST_TEST(job().spec.end_tokens.empty());
  start(request(7));
  BOOST_TEST(job().spec.max_tokens == 7u);
}

// -- the stream ---------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(tokens_arrive_in_order_whatever_the_nodes_do, fixture) {
  auto id = start(request(5));
  say(2, {22, 23});
  BOOST_TEST(answer(id).tokens.empty());
  say(0, {20, 21});
  say(0, {20, 21}); // repeated
  say(1, {21, 22, 23});
  BOOST_TEST(answer(id).tokens == (std::vector<token_id>{20, 21, 22, 23}),
             boost::test_tools::per_element());
  say(4, {24}, finish_reason::length);
  auto& e = ended(id, finish_reason::length);
  BOOST_TEST(e.prompt_tokens == 3u);
  BOOST_TEST(e.completion_tokens == 5u);
}

BOOST_FIXTURE_TEST_CASE(an_end_waits_for_the_tokens_before_it, fixture) {
  auto id = start(request());
  say(2, {22}, finish_reason::stop);
  BOOST_TEST(answer(id).finishes.empty());
  say(0, {20, 21});
  BOOST_TEST(ended(id, finish_reason::stop).completion_tokens == 3u);
}

BOOST_FIXTURE_TEST_CASE(outputs_that_make_no_sense_are_ignored, fixture) {
  auto id = start(request(4));
  say(0, {1, 2, 3, 4, 5});
  say(~0u, {1, 2});
  say(4, {1});
  auto o = output_for(job(), 0, {7});
  o.seq += 1;
  say(o);
  BOOST_TEST(answer(id).tokens.empty());
  say(0, {1, 2, 3, 4});
  ended(id, finish_reason::length);
}

BOOST_FIXTURE_TEST_CASE(text_is_cut_before_a_stop_string, fixture) {
  auto r = request(60);
  r.stop = {"END", "xyz"};
  auto id = start(r);
  auto tokens = spell("hello wEND and more");
  auto index = 0u;
  for (auto t : tokens)
    say(index++, {t});
  auto& e = ended(id, finish_reason::stop);
  BOOST_TEST(answer(id).text == "hello w");
  BOOST_TEST(e.completion_tokens < tokens.size());
  BOOST_TEST(answer(id).tokens.size() == e.completion_tokens);
}

BOOST_FIXTURE_TEST_CASE(how_tokens_are_grouped_does_not_show, fixture) {
  auto tokens = spell("hello wEND and more");
  auto seen = std::optional<std::vector<token_id>>{};
  for (size_t group = 1; group <= tokens.size(); ++group) {
    auto r = request(60);
    r.stop = {"END"};
    auto id = start(r);
    for (size_t i = 0; i < tokens.size(); i += group) {
      auto n = std::min(group, tokens.size() - i);
      say(i, std::vector(tokens.begin() + i, tokens.begin() + i + n));
    }
    ended(id, finish_reason::stop);
    BOOST_TEST(answer(id).text == "hello w");
    if (!seen)
      seen = answer(id).tokens;
    BOOST_TEST(answer(id).tokens == *seen, boost::test_tools::per_element());
  }
}

BOOST_FIXTURE_TEST_CASE(held_back_text_comes_with_the_end, fixture) {
  auto r = request(60);
  r.stop = {"END"};
  auto id = start(r);
  auto tokens = spell("an EN");
  say(0, tokens);
  BOOST_TEST(answer(id).text == "an ");
  say(tokens.size(), {}, finish_reason::stop);
  BOOST_TEST(ended(id, finish_reason::stop).text == "EN");
}

BOOST_FIXTURE_TEST_CASE(details_go_with_their_tokens, fixture) {
  auto r = request(3);
  r.sampling.want_logprob = true;
  auto id = start(r);
  auto o = output_for(job(), 1, {21, 22});
  o.details = {{21, -1.f, {}}, {22, -2.f, {}}};
  say(o);
  o = output_for(job(), 0, {20});
  o.details = {{20, -3.f, {}}};
  say(o);
  ended(id, finish_reason::length);
  BOOST_REQUIRE_EQUAL(answer(id).details.size(), 3u);
  BOOST_TEST(answer(id).details[0].logprob == -3.f);
  BOOST_TEST(answer(id).details[2].logprob == -2.f);
}

// -- errors -------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(no_node_ends_the_request, fixture) {
  script->place = [](const place_request&) -> caf::result<placement> {
    return to_caf({errc::no_node, "there is no prefill node"});
  };
  auto id = start(request());
  sim.drain();
  auto& e = heard->end(id);
  BOOST_TEST((e.code == errc::no_node));
  BOOST_TEST(e.message == "there is no prefill node");
  BOOST_TEST(script->released.empty());
  BOOST_TEST(sim.alive() == 5u);
}

namespace {

struct patient_fixture : fixture {
  patient_fixture() : fixture(patience()) {}

  static session_options patience() {
    auto o = session_options{};
    o.node_patience = 1s;
    o.node_retry = 50ms;
    return o;
  }

  // The registry has no node for the first `times` questions.
  void without_nodes(size_t times) {
    script->place = [=, this](const place_request&) -> caf::result<placement> {
      if (script->asked.size() <= times)
        return to_caf({errc::no_node, "there is no node that generates"});
      return placement{1, prefill, 2, decode};
    };
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_request_waits_for_nodes_to_come_back,
                        patient_fixture) {
  // More often than it may be placed: these were no placements.
  without_nodes(10);
  start(request(2));
  BOOST_TEST(script->asked.size() == 1u);
  sim.drain();
  BOOST_TEST(script->asked.size() == 11u);
  BOOST_REQUIRE_EQUAL(prefills->jobs.size(), 1u);
  say(0, {20, 21});
  BOOST_TEST(
      (heard->answers.begin()->second.tokens == std::vector<token_id>{20, 21}));
}

BOOST_FIXTURE_TEST_CASE(a_request_waits_for_nodes_so_long_and_no_longer,
                        patient_fixture) {
  without_nodes(1000);
  auto id = start(request());
  sim.drain();
  auto& e = heard->end(id);
  BOOST_TEST((e.code == errc::no_node));
  // At once, then twenty times a second.
  BOOST_TEST(script->asked.size() == 21u);
  BOOST_TEST(sim.alive() == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_waits_for_nodes_can_be_cancelled,
                        patient_fixture) {
  without_nodes(1000);
  auto id = start(request());
  caf::anon_send(gate, cancel_request{id});
  sim.drain();
  BOOST_TEST((heard->end(id).reason == finish_reason::cancelled));
  BOOST_TEST(sim.alive() == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_never_answers_is_a_timeout, fixture) {
  script->place = nullptr;
  auto id = start(request());
  BOOST_TEST(heard->answers.empty());
  BOOST_TEST((ended(id, finish_reason::error).code == errc::timeout));
}

BOOST_FIXTURE_TEST_CASE(a_dying_registry_is_noticed_at_once, fixture) {
  script->place = nullptr;
  auto id = start(request());
  sim.kill(reg);
  sim.run();
  BOOST_TEST((heard->end(id).code == errc::abandoned));
  BOOST_TEST(sim.alive() == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_failure_that_may_pass_is_tried_again, fixture) {
  for (auto code : {errc::no_free_blocks, errc::abandoned, errc::timeout,
                    errc::digest_mismatch, errc::stale_epoch,
                    errc::layout_mismatch, errc::unknown_sequence}) {
    auto id = start(request(3));
    say(0, {20, 21});
    auto before = prefills->jobs.size();
    auto epoch = job().spec.epoch;
    fail(code);
    BOOST_TEST(prefills->jobs.size() == before); // not at once
    sim.advance(5ms);
    sim.run();
    BOOST_REQUIRE_EQUAL(prefills->jobs.size(), before + 1);
    BOOST_TEST(job().spec.epoch == next_placement(epoch));
    BOOST_TEST(job().spec.emitted == (std::vector<token_id>{20, 21}),
               boost::test_tools::per_element());
    BOOST_TEST(script->asked.back().avoid == (std::vector<node_id>{1, 2}),
               boost::test_tools::per_element());
    say(2, {22}, finish_reason::length);
    BOOST_TEST(ended(id, finish_reason::length).completion_tokens == 3u);
  }
}

BOOST_FIXTURE_TEST_CASE(trying_again_ends_with_the_last_error, fixture) {
  auto id = start(request());
  for (auto i = 0; i < 4; ++i) {
    fail(errc::digest_mismatch);
    sim.drain(1s);
  }
  auto& e = ended(id, finish_reason::error);
  BOOST_TEST((e.code == errc::digest_mismatch));
  BOOST_TEST(e.message == "as the test wants it");
  BOOST_TEST(prefills->jobs.size() == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_failure_that_stays_ends_the_request, fixture) {
  for (auto code :
       {errc::invalid_argument, errc::context_exceeded, errc::unsupported}) {
    auto id = start(request());
    fail(code);
    BOOST_TEST((ended(id, finish_reason::error).code == code));
  }
}

BOOST_FIXTURE_TEST_CASE(errors_of_an_older_life_are_ignored, fixture) {
  auto id = start(request(2));
  auto old = job();
  fail(errc::abandoned);
  emit(old, output_for(old, 0, {}, finish_reason::error, errc::timeout));
  sim.drain(1s);
  emit(old, output_for(old, 0, {}, finish_reason::error, errc::timeout));
  emit(old, output_for(old, 0, {20})); // its tokens count
  sim.run();
  BOOST_TEST(answer(id).tokens.size() == 1u);
  BOOST_TEST(prefills->jobs.size() == 2u);
  say(1, {21}, finish_reason::length);
  ended(id, finish_reason::length);
}

BOOST_FIXTURE_TEST_CASE(a_dead_decode_node_is_replaced, fixture) {
  auto id = start(request(3));
  say(0, {20});
  sim.kill(decode);
  decode = sim.spawn(fake_decode, decodes);
  sim.run(); // at once
  BOOST_REQUIRE_EQUAL(prefills->jobs.size(), 2u);
  BOOST_TEST((job().decode == decode));
  BOOST_TEST(script->asked.back().avoid == (std::vector<node_id>{2}),
             boost::test_tools::per_element());
  say(1, {21, 22}, finish_reason::length);
  sim.drain();
  BOOST_TEST(heard->end(id).completion_tokens == 3u);
}

BOOST_FIXTURE_TEST_CASE(and_a_second_one_after_a_pause, fixture) {
  auto id = start(request(2));
  say(0, {20});
  for (auto placements : {2u, 3u}) {
    BOOST_TEST(prefills->jobs.size() == placements - 1);
    sim.kill(decode);
    decode = sim.spawn(fake_decode, decodes);
    sim.run();
    BOOST_TEST(prefills->jobs.size() == 2u);
    sim.advance(10ms);
    sim.run();
    BOOST_TEST(prefills->jobs.size() == placements);
  }
  say(1, {21}, finish_reason::length);
  sim.drain();
  BOOST_TEST(heard->end(id).completion_tokens == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_dead_prefill_node_matters_until_decoding, fixture) {
  auto id = start(request(4));
  say(0, {20});
  say(1, {21}); // the decode node speaks
  sim.kill(prefill);
  sim.drain(1s);
  BOOST_TEST(prefills->jobs.size() == 1u);
  say(2, {22, 23}, finish_reason::length);
  sim.drain();
  BOOST_TEST(heard->end(id).completion_tokens == 4u);
  prefill = sim.spawn(fake_prefill, prefills);
  id = start(request(4));
  say(1, {21}); // the first token never came
  sim.kill(prefill);
  prefill = sim.spawn(fake_prefill, prefills);
  sim.drain(1s);
  BOOST_TEST(prefills->jobs.size() == 3u);
  say(0, {20});
  say(2, {22, 23}, finish_reason::length);
  sim.drain();
  BOOST_TEST(heard->end(id).completion_tokens == 4u);
}

BOOST_FIXTURE_TEST_CASE(nodes_dead_before_the_job_are_noticed, fixture) {
  sim.kill(prefill);
  sim.run();
  auto id = start(request());
  sim.drain();
  BOOST_TEST((heard->end(id).code == errc::abandoned));
  BOOST_TEST(script->asked.size() == 4u);
  BOOST_TEST(script->released.size() == 4u);
}

// -- cancel -------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(cancel_before_placement, fixture) {
  script->place = nullptr;
  auto id = start(request());
  caf::anon_send(gate, cancel_request{id});
  caf::anon_send(gate, cancel_request{id});
  ended(id, finish_reason::cancelled);
  BOOST_TEST(prefills->cancels.empty());
}

BOOST_FIXTURE_TEST_CASE(cancel_while_running_tells_the_nodes, fixture) {
  auto id = start(request());
  say(0, {20});
  caf::anon_send(gate, cancel_request{id});
  auto& e = ended(id, finish_reason::cancelled);
  BOOST_TEST(e.completion_tokens == 1u);
  BOOST_REQUIRE_EQUAL(prefills->cancels.size(), 1u);
  BOOST_TEST(prefills->cancels[0].seq == job().spec.seq);
  BOOST_TEST(prefills->cancels[0].epoch == last_move(next_placement(0)));
  caf::anon_send(gate, cancel_request{id});
  caf::anon_send(gate, cancel_request{12345});
  say(1, {21}); // too late
  sim.drain();
  BOOST_TEST(answer(id).tokens.size() == 1u);
  BOOST_TEST(answer(id).finishes.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(cancel_between_two_placements, fixture) {
  auto id = start(request());
  fail(errc::abandoned);
  caf::anon_send(gate, cancel_request{id});
  ended(id, finish_reason::cancelled);
  BOOST_TEST(script->asked.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_leaves_cancels, fixture) {
  start(request());
  say(0, {20});
  sim.kill(client);
  sim.drain();
  BOOST_TEST(prefills->cancels.size() == 1u);
  BOOST_TEST(decodes->cancels.size() == 1u);
  BOOST_TEST(script->released.size() == 1u);
  BOOST_TEST(sim.alive() == 4u);
}

// -- death of ours ------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_session_that_dies_ends_in_one_error, fixture) {
  client = sim.spawn(fake_assassin, heard);
  auto id = start(request());
  say(0, {20});
  sim.run();
  auto& e = heard->end(id);
  BOOST_TEST((e.reason == finish_reason::error));
  BOOST_TEST((e.code == errc::abandoned));
  BOOST_TEST(script->released.size() == 1u);
  // Its nodes work on until their next word, then they hear that it is over.
  auto self = caf::scoped_actor{sim.sys};
  auto step = step_output{};
  step.sequences = {output_for(job(), 1, {21})};
  self->send(gate, step);
  sim.run();
  self->receive([&](const cancel_sequence& c) {
    BOOST_TEST(c.seq == job().spec.seq);
    BOOST_TEST(c.epoch == job().spec.epoch);
  });
}

BOOST_FIXTURE_TEST_CASE(sessions_end_with_their_gateway, fixture) {
  auto id = start(request());
  say(0, {20});
  sim.kill(gate);
  sim.drain();
  BOOST_TEST((heard->end(id).code == errc::abandoned));
  BOOST_TEST(prefills->cancels.size() == 1u);
  BOOST_TEST(sim.alive() == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
