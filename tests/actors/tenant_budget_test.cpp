#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// 3 requests, 10 tokens of prompts and 10 of answers, all in a minute, and 2
// requests at a time.
limits_table table() {
  auto t = limits_table{};
  auto& acme = t.organisations["acme"].limits;
  acme.requests = rate_limit{3, 60s, 3};
  acme.input_tokens = rate_limit{10, 60s, 10};
  acme.output_tokens = rate_limit{10, 60s, 10};
  acme.concurrency = 2;
  t.organisations["other"].limits = acme;
  return t;
}

struct fixture : faked_front {
  std::shared_ptr<rate_limiter> limits =
      std::make_shared<rate_limiter>(table(), now());

  fixture() {
    auto o = session_options{};
    o.limits = limits;
    open(std::move(o));
  }

  request_id start(uint32_t max_tokens, std::string organisation = "acme",
                   size_t prompt = 3) {
    auto r = generate_request{};
    r.prompt.assign(prompt, 10);
    r.max_tokens = max_tokens;
    r.organisation = std::move(organisation);
    r.key = "laptop";
    r.model = "tiny";
    return faked_front::start(std::move(r));
  }

  void cancel(request_id id) {
    caf::anon_send(gate, cancel_request{id});
    sim.run();
  }

  const finish_event& ended(request_id id, finish_reason reason) {
    auto& e = heard->end(id);
    BOOST_TEST((e.reason == reason),
               "reason " << int(e.reason) << ": " << e.message);
    return e;
  }

  uint64_t left(limited what, std::string organisation = "acme") {
    auto who =
        limits->resolve({std::move(organisation), "laptop", "tiny"}, now());
    return limits->status(who, now())[static_cast<size_t>(what)]->left;
  }

  void expect_left(uint64_t requests, uint64_t input, uint64_t output,
                   uint64_t under_way) {
    BOOST_TEST(left(limited::requests) == requests);
    BOOST_TEST(left(limited::input_tokens) == input);
    BOOST_TEST(left(limited::output_tokens) == output);
    BOOST_TEST(left(limited::concurrency) == 2 - under_way);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(tenant_budget_suite)

BOOST_FIXTURE_TEST_CASE(a_request_spends_what_it_used, fixture) {
  auto id = start(5);
  expect_left(2, 7, 5, 1);
  say(0, {20, 21});
  expect_left(2, 7, 5, 1);
  say(2, {}, finish_reason::stop);
  BOOST_TEST(ended(id, finish_reason::stop).completion_tokens == 2u);
  expect_left(2, 7, 8, 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_too_much_now_is_refused_with_a_time, fixture) {
  auto first = start(8);
  auto id = start(5);
  sim.drain();
  auto e = ended(id, finish_reason::error);
  BOOST_TEST((e.code == errc::overloaded));
  BOOST_TEST(e.message
             == "the limit on output tokens of the organisation is reached; "
                "try again later");
  // Three tokens are missing of ten a minute.
  BOOST_TEST(e.retry_after_ns == duration{18s}.count());
  // No node has heard of it, and nobody is left of it.
  BOOST_TEST(script->asked.size() == 1u);
  BOOST_TEST(prefills->jobs.size() == 1u);
  BOOST_TEST(sim.alive() == 6u); // fakes, gateway, the first session
  BOOST_TEST(heard->answers[first].finishes.empty());
  // The other tenant does not notice.
  start(5, "other");
  BOOST_TEST(prefills->jobs.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(after_that_time_it_is_admitted, fixture) {
  auto first = start(8);
  say(0, {1, 2, 3, 4, 5, 6, 7, 8}, finish_reason::length);
  ended(first, finish_reason::length);
  auto wait = duration{ended(start(5), finish_reason::error).retry_after_ns};
  BOOST_TEST(wait.count() == duration{18s}.count());
  sim.advance(17999ms);
  ended(start(5), finish_reason::error);
  sim.advance(1ms);
  start(5);
  BOOST_TEST(prefills->jobs.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(what_will_never_be_is_not_told_to_wait, fixture) {
  for (auto id : {start(11), start(1, "acme", 11), start(1, "nobody")}) {
    auto& e = ended(id, finish_reason::error);
    BOOST_TEST((e.code == errc::invalid_argument), e.message);
    BOOST_TEST(e.retry_after_ns == 0);
  }
  expect_left(3, 10, 10, 0);
}

BOOST_FIXTURE_TEST_CASE(who_cancels_pays_for_what_was_done, fixture) {
  auto id = start(8);
  say(0, {20, 21});
  cancel(id);
  ended(id, finish_reason::cancelled);
  expect_left(2, 7, 8, 0);
  // The prompt is on its way to be computed, though no token is there.
  cancel(start(8));
  expect_left(1, 4, 8, 0);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_dies_has_cancelled, fixture) {
  start(8);
  say(0, {20, 21});
  sim.kill(client);
  sim.run();
  expect_left(2, 7, 8, 0);
}

BOOST_FIXTURE_TEST_CASE(what_fails_before_a_token_costs_nothing, fixture) {
  auto id = start(8);
  say(0, {}, finish_reason::error, errc::unsupported);
  ended(id, finish_reason::error);
  expect_left(3, 10, 10, 0);
  // Without a node it is the same.
  script->place = [](const place_request&) -> caf::result<placement> {
    return caf::make_error(caf::sec::runtime_error);
  };
  ended(start(8), finish_reason::error);
  expect_left(3, 10, 10, 0);
}

BOOST_FIXTURE_TEST_CASE(a_second_placement_reserves_nothing, fixture) {
  auto id = start(8);
  say(0, {20, 21});
  expect_left(2, 7, 2, 1);
  say(0, {}, finish_reason::error, errc::abandoned);
  sim.drain();
  BOOST_REQUIRE_EQUAL(prefills->jobs.size(), 2u);
  BOOST_TEST(left(limited::requests) == 2u);
  BOOST_TEST(left(limited::concurrency) == 1u);
  // Old tokens come again, and are not spent again.
  say(0, {20, 21, 22, 23}, finish_reason::stop);
  BOOST_TEST(ended(id, finish_reason::stop).completion_tokens == 4u);
  expect_left(2, 7, 6, 0);
}

BOOST_FIXTURE_TEST_CASE(an_open_answer_ends_where_the_budget_does, fixture) {
  // All tokens at once, or one by one: the same ten.
  for (auto group : {1u, 3u, 16u}) {
    auto id = start(0);
    BOOST_TEST(left(limited::output_tokens) == 9u); // one is promised
    for (auto i = 0u; i < 16; i += group)
      say(i, std::vector<token_id>(std::min(group, 16 - i), 20));
    auto& e = ended(id, finish_reason::length);
    BOOST_TEST(e.completion_tokens == 10u);
    BOOST_TEST(heard->answers[id].tokens.size() == 10u);
    BOOST_TEST(left(limited::output_tokens) == 0u);
    // The node is told.
    BOOST_TEST(!prefills->cancels.empty());
    sim.advance(60s);
  }
}

BOOST_FIXTURE_TEST_CASE(two_open_answers_share_what_there_is, fixture) {
  auto a = start(0);
  auto job = prefills->jobs.back();
  auto b = start(0);
  say(0, {1, 2, 3, 4, 5, 6});
  emit(job, output_for(job, 0, {1, 2, 3, 4, 5, 6}));
  sim.run();
  ended(a, finish_reason::length);
  BOOST_TEST(heard->answers[a].tokens.size() + heard->answers[b].tokens.size()
             == 10u);
  BOOST_TEST(heard->answers[b].finishes.empty());
  say(6, {7});
  ended(b, finish_reason::length);
  BOOST_TEST(heard->answers[b].tokens.size() == 6u);
}

BOOST_FIXTURE_TEST_CASE(names_are_bounded, fixture) {
  auto r = generate_request{};
  r.prompt = {1};
  r.organisation = std::string(max_name_bytes + 1, 'a');
  BOOST_TEST((sim.ask_error<admitted>(gate, submit{r, client}) != caf::none));
  r.organisation.pop_back();
  sim.ask<admitted>(gate, submit{r, client});
}

BOOST_AUTO_TEST_SUITE_END()
