#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "core/base/random.hpp"
#include "tests/actors/response_cache_fixture.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : faked_front {
  response_cache_actor cache;

  explicit fixture(uint64_t seed = 0, session_options session = {})
      : faked_front(seed), cache(sim.spawn(response_cache_service, enabled())) {
    session.cache = cache;
    open(std::move(session));
  }

  static generate_request request() { return cached_request(); }

  request_id start(generate_request r = request()) {
    return faked_front::start(std::move(r));
  }

  // A node answers the newest job.
  void compute(std::vector<token_id> tokens,
               finish_reason reason = finish_reason::stop,
               errc code = errc::none) {
    say(0, std::move(tokens), reason, code);
  }

  cache_status status() { return sim.ask<cache_status>(gate, cache_query{}); }

  // Computed, though an answer to `request()` is kept.
  void is_another(generate_request r, const std::string& what) {
    auto before = jobs();
    auto id = start(std::move(r));
    BOOST_TEST(jobs() == before + 1, what);
    compute({60});
    BOOST_TEST((answer(id).tokens == std::vector<token_id>{60}), what);
  }
};

using tokens = std::vector<token_id>;

} // namespace

BOOST_AUTO_TEST_SUITE(response_cache_service_suite)

BOOST_FIXTURE_TEST_CASE(the_same_is_computed_once, fixture) {
  auto first = start();
  compute({50, 51, 52});
  auto second = start();
  BOOST_TEST(jobs() == 1u);
  BOOST_TEST((answer(second).tokens == tokens{50, 51, 52}));
  BOOST_TEST(answer(second).text == answer(first).text);
  auto& a = heard->end(first);
  auto& b = heard->end(second);
  BOOST_TEST((a.cache == cache_use::miss));
  BOOST_TEST((b.cache == cache_use::hit));
  BOOST_TEST((b.reason == finish_reason::stop));
  BOOST_TEST(b.prompt_tokens == 3u);
  BOOST_TEST(b.completion_tokens == 3u);
  BOOST_TEST(b.cached_tokens == 3u);
  BOOST_TEST(status().hits == 1u);
  BOOST_TEST(script->released.size() == 1u);
  sim.drain(1s);
  BOOST_TEST(sim.alive() == 6u); // no session
}

BOOST_FIXTURE_TEST_CASE(probabilities_are_kept_with_it, fixture) {
  auto r = request();
  r.sampling.want_logprob = true;
  r.sampling.logprobs = 1;
  start(r);
  auto o = output_for(job(), 0, {50}, finish_reason::length);
  o.details = {{50, -0.25f, {{50, -0.25f}}}};
  say(o);
  auto& again = answer(start(r));
  BOOST_REQUIRE(again.details.size() == 1u);
  BOOST_TEST(again.details[0].logprob == -0.25f);
  BOOST_TEST(again.details[0].top.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(whoever_asks_meanwhile_waits, fixture) {
  auto ids = std::vector<request_id>{start(), start(), start()};
  BOOST_TEST(jobs() == 1u);
  BOOST_TEST(answer(ids[1]).events == 0u);
  compute({50, 51}, finish_reason::length);
  for (auto id : ids) {
    BOOST_TEST((answer(id).tokens == tokens{50, 51}));
    BOOST_TEST((heard->end(id).reason == finish_reason::length));
  }
  BOOST_TEST(status().waited == 2u);
}

BOOST_FIXTURE_TEST_CASE(the_next_one_computes_if_the_first_gives_up, fixture) {
  auto a = start(), b = start(), c = start();
  sim.ask<cache_status>(gate, cache_query{});
  caf::anon_send(gate, cancel_request{a});
  sim.run();
  BOOST_TEST(jobs() == 2u);
  BOOST_TEST((heard->end(a).reason == finish_reason::cancelled));
  compute({50});
  BOOST_TEST((answer(b).tokens == tokens{50}));
  BOOST_TEST((heard->end(b).cache == cache_use::miss));
  BOOST_TEST((heard->end(c).cache == cache_use::hit));
}

BOOST_FIXTURE_TEST_CASE(who_waits_may_give_up, fixture) {
  auto a = start(), b = start(), c = start();
  caf::anon_send(gate, cancel_request{b});
  sim.run();
  BOOST_TEST((heard->end(b).reason == finish_reason::cancelled));
  caf::anon_send(gate, cancel_request{a});
  sim.run();
  BOOST_TEST(jobs() == 2u); // for c
  compute({50});
  BOOST_TEST((answer(c).tokens == tokens{50}));
}

BOOST_FIXTURE_TEST_CASE(failures_are_not_kept, fixture) {
  auto a = start(), b = start();
  compute({}, finish_reason::error, errc::bad_file);
  BOOST_TEST((heard->end(a).reason == finish_reason::error));
  BOOST_TEST(jobs() == 2u);
  compute({50});
  BOOST_TEST((answer(b).tokens == tokens{50}));
}

BOOST_FIXTURE_TEST_CASE(what_differs_is_another_request, fixture) {
  start();
  compute({50});
  auto changed = [&](auto change, const char* what) {
    auto r = request();
    change(r);
    is_another(std::move(r), what);
  };
  changed([](auto& r) { r.organisation = "other"; }, "organisation");
  changed([](auto& r) { r.version = 2; }, "version");
  changed([](auto& r) { r.cache_salt = "x"; }, "salt");
  changed([](auto& r) { r.model = "x"; }, "model");
  changed([](auto& r) { r.prompt = {10, 11, 13}; }, "prompt");
  changed([](auto& r) { r.max_tokens = 9; }, "max_tokens");
  changed([](auto& r) { r.stop = {"zz"}; }, "stop");
  changed([](auto& r) { r.ignore_end = true; }, "ignore_end");
  changed([](auto& r) { r.sampling.want_logprob = true; }, "logprobs");
  changed([](auto& r) { r.sampling.repetition_penalty = 1.5f; }, "penalty");
  changed([](auto& r) { r.sampling.logit_bias = {{1, 1.f}}; }, "bias");
  changed([](auto& r) { r.cache = cache_wish::never; }, "never");
}

BOOST_FIXTURE_TEST_CASE(what_changes_nothing_does_not_count, fixture) {
  auto r = request();
  r.sampling.logit_bias = {{1, 1.f}, {2, 2.f}};
  start(r);
  compute({50});
  r.sampling.logit_bias = {{2, 2.f}, {1, 1.f}};
  r.sampling.seed = 7;
  r.sampling.top_p = 0.5f;
  r.key = "another key";
  r.session = "somebody";
  r.priority = 0;
  start(r);
  BOOST_TEST(jobs() == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_is_drawn_is_kept_only_if_asked, fixture) {
  auto r = request();
  r.sampling.temperature = 1;
  auto id = start(r);
  compute({50});
  BOOST_TEST((heard->end(id).cache == cache_use::none));
  is_another(r, "drawn again");
  r.cache = cache_wish::always;
  is_another(r, "asked for the first time");
  auto again = start(r);
  BOOST_TEST((heard->end(again).cache == cache_use::hit));
  r.sampling.seed = 1;
  is_another(r, "another seed");
}

BOOST_FIXTURE_TEST_CASE(answers_grow_old, fixture) {
  start();
  compute({50});
  sim.advance(9min);
  start();
  BOOST_TEST(jobs() == 1u);
  sim.advance(2min);
  sim.run();
  BOOST_TEST(status().entries == 0u);
  is_another(request(), "too old");
}

BOOST_FIXTURE_TEST_CASE(a_version_that_goes_takes_its_answers_along, fixture) {
  start();
  compute({50});
  caf::anon_send(cache, dismiss_version{1});
  is_another(request(), "dismissed");
}

BOOST_FIXTURE_TEST_CASE(without_its_cache_a_gateway_computes, fixture) {
  auto waiting = start(), other = start();
  sim.kill(cache);
  sim.run();
  BOOST_TEST(jobs() == 2u); // the one that waited
  compute({50});
  BOOST_TEST((answer(other).tokens == tokens{50}));
  is_another(request(), "no cache");
  BOOST_TEST(answer(waiting).finishes.empty());
}

BOOST_AUTO_TEST_CASE(a_budget_that_ran_out_is_not_others_answer) {
  auto limits = limits_table{};
  limits.organisations["acme"].limits.output_tokens = rate_limit{3, 60s, 3};
  limits.organisations["acme"].keys["rich"];
  auto o = session_options{};
  o.limits = std::make_shared<rate_limiter>(limits, time_point{});
  auto f = fixture{0, o};
  auto r = fixture::request();
  r.max_tokens = 0; // as many as there are
  auto id = f.start(r);
  f.compute({50, 51, 52, 53}, finish_reason::stop);
  BOOST_TEST((f.answer(id).tokens == tokens{50, 51, 52}));
  BOOST_TEST((f.heard->end(id).reason == finish_reason::length));
  BOOST_TEST(f.status().entries == 0u);
}

BOOST_AUTO_TEST_CASE(a_hit_costs_the_tenant_its_tokens) {
  auto limits = limits_table{};
  limits.organisations["acme"].limits.output_tokens = rate_limit{10, 60s, 10};
  auto o = session_options{};
  o.limits = std::make_shared<rate_limiter>(limits, time_point{});
  auto f = fixture{0, o};
  f.start();
  f.compute({50, 51, 52, 53, 54, 55});
  auto r = fixture::request();
  auto id = f.start(r); // 8 are not there
  BOOST_TEST((f.heard->end(id).code == errc::overloaded));
}

// Requests come, wait, are cancelled and fail in any order: each ends once,
// with the one answer, and the cache forgets them all.
BOOST_AUTO_TEST_CASE(any_order_ends_well) {
  for (auto seed = uint64_t{1}; seed <= 200; ++seed) {
    auto f = fixture{seed};
    auto draws = uint64_t{0};
    auto draw = [&](uint64_t n) { return random_bits(seed, draws++) % n; };
    auto under_way = std::vector<request_id>{};
    auto answered = size_t{0};
    auto work = [&] {
      while (answered < f.jobs()) {
        auto& job = f.prefills->jobs[answered++];
        auto which = job.spec.prompt.back();
        if (draw(5) == 0)
          emit(job,
               output_for(job, 0, {}, finish_reason::error, errc::bad_file));
        else
          emit(job, output_for(job, 0, {which, 50}, finish_reason::stop));
      }
    };
    auto question = std::map<request_id, token_id>{};
    for (auto i = 0; i < 30; ++i) {
      auto r = fixture::request();
      r.prompt.back() = static_cast<token_id>(12 + draw(2));
      r.request = 1000 + i;
      question[r.request] = r.prompt.back();
      caf::anon_send(f.gate, submit{r, f.client});
      f.sim.run(draw(20));
      if (draw(4) == 0)
        caf::anon_send(f.gate, cancel_request{1000 + draw(i + 1)});
      if (draw(3) == 0)
        work();
    }
    for (auto i = 0; i < 40; ++i) {
      f.sim.run();
      work();
    }
    f.sim.drain(1s);
    for (auto& [id, last] : question) {
      auto& e = f.heard->end(id);
      if (e.reason == finish_reason::stop)
        BOOST_TEST((f.answer(id).tokens == tokens{last, 50}), "seed " << seed);
    }
    BOOST_TEST(f.sim.alive() == 6u, "seed " << seed);
  }
}

BOOST_AUTO_TEST_SUITE_END()
