#include "actors/response_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "core/base/random.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

response_cache_service_options enabled() {
  auto o = response_cache_service_options{};
  o.exact.enabled = true;
  o.exact.ttl = 10min;
  o.exact.flight = 2min;
  return o;
}

struct fixture : faked_front {
  response_cache_actor cache;

  explicit fixture(uint64_t seed = 0, session_options session = {})
      : faked_front(seed), cache(sim.spawn(response_cache_service, enabled())) {
    session.cache = cache;
    open(std::move(session));
  }

  static generate_request request() {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = 8;
    r.sampling.temperature = 0;
    r.organisation = "acme";
    return r;
  }

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

// -- in other words -----------------------------------------------------------

namespace {

// Vectors are what the test says they are.
struct semantic_fixture : faked_front {
  response_cache_actor cache;

  explicit semantic_fixture(double error = 0.05) {
    auto o = enabled();
    o.semantic.emplace();
    o.semantic->error = error;
    o.semantic->least_similarity = 0.9;
    o.text = text;
    o.seed = 7;
    cache = sim.spawn(response_cache_service, o);
    auto session = session_options{};
    session.cache = cache;
    open(std::move(session));
    caf::anon_send(cache, embed_through{gate});
    sim.run();
  }

  static generate_request request(token_id last, std::string said) {
    auto r = fixture::request();
    r.prompt.push_back(last);
    r.cache_text = std::move(said);
    return r;
  }

  bool embeds() const { return jobs() > 0 && job().spec.embed; }

  void embedded(std::vector<float> v) {
    auto o = output_for(job(), 0, {}, finish_reason::stop);
    o.state = std::move(v);
    say(std::move(o));
  }

  // Asks, and has its text embedded.
  request_id ask(generate_request r, std::vector<float> v) {
    auto before = jobs();
    auto id = start(std::move(r));
    BOOST_REQUIRE(jobs() == before + 1);
    BOOST_REQUIRE(embeds());
    embedded(std::move(v));
    return id;
  }

  bool over(request_id id) { return !heard->answers[id].finishes.empty(); }

  cache_status status() { return sim.ask<cache_status>(gate, cache_query{}); }
};

const auto east = std::vector<float>{1, 0, 0, 0};
const auto nearly_east = std::vector<float>{1, 0.1f, 0, 0};
const auto north = std::vector<float>{0, 1, 0, 0};

} // namespace

BOOST_FIXTURE_TEST_CASE(an_entry_earns_its_use, semantic_fixture) {
  auto hits = 0;
  for (token_id n = 0; n < 50; ++n)
    for (auto& v : {east, nearly_east}) {
      auto r = request(13, "say it");
      r.prompt[0] = 3 + n;
      r.prompt[1] = v == east ? 3 : 4;
      auto id = ask(std::move(r), v);
      if (!over(id))
        say(0, {50, 51}, finish_reason::stop);
      BOOST_TEST((answer(id).tokens == tokens{50, 51}));
      hits += heard->end(id).cache == cache_use::semantic;
    }
  auto s = status();
  BOOST_TEST(hits > 10);
  BOOST_TEST(hits < 90);
  BOOST_TEST(s.semantic_hits == static_cast<uint64_t>(hits));
  BOOST_TEST(s.explored + s.semantic_hits == 99u);
  BOOST_TEST(s.confirmed == s.explored);
  BOOST_TEST(s.semantic_entries == 1u);
}

BOOST_FIXTURE_TEST_CASE(an_entry_whose_neighbours_differ_is_never_used,
                        semantic_fixture) {
  for (token_id n = 0; n < 50; ++n) {
    auto r = request(3 + n, "say it");
    auto id = ask(std::move(r), east);
    say(0, {50, 3 + n}, finish_reason::stop);
    BOOST_TEST((answer(id).tokens == tokens{50, 3 + n}));
  }
  BOOST_TEST(status().semantic_hits == 0u);
  BOOST_TEST(status().confirmed == 0u);
}

BOOST_FIXTURE_TEST_CASE(only_what_may_be_the_same_is_near, semantic_fixture) {
  ask(request(13, "two apples"), east);
  say(0, {50}, finish_reason::stop);
  auto far = [this](generate_request r, std::vector<float> v) {
    auto id = ask(std::move(r), std::move(v));
    say(0, {51}, finish_reason::stop);
    BOOST_TEST((answer(id).tokens == tokens{51}));
    BOOST_TEST(status().explored == 0u);
  };
  far(request(14, "two apples"), north);
  far(request(15, "3 apples"), east);
  auto r = request(16, "two apples");
  r.organisation = "other";
  far(r, east);
  r.organisation = "acme";
  r.cache_scope = "another prompt of the system's";
  far(r, east);
  r = request(17, "two apples");
  r.max_tokens = 3;
  far(r, east);
  ask(request(18, "two apples"), east);
  say(0, {50}, finish_reason::stop);
  BOOST_TEST(status().explored == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_same_again_is_not_embedded, semantic_fixture) {
  ask(request(13, "say it"), east);
  say(0, {50}, finish_reason::stop);
  auto before = jobs();
  auto id = start(request(13, "say it"));
  BOOST_TEST(jobs() == before);
  BOOST_TEST((heard->end(id).cache == cache_use::hit));
}

BOOST_FIXTURE_TEST_CASE(what_has_no_text_is_not_embedded, semantic_fixture) {
  start(request(13, ""));
  BOOST_TEST(!embeds());
  say(0, {50}, finish_reason::stop);
  start(request(14, std::string(5000, 'x')));
  BOOST_TEST(!embeds());
  say(0, {50}, finish_reason::stop);
  BOOST_TEST(status().semantic_entries == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_embedded_is_computed, semantic_fixture) {
  auto id = start(request(13, "say it"));
  BOOST_REQUIRE(embeds());
  for (auto tries = 0; embeds() && tries < 10; ++tries) {
    say(0, {}, finish_reason::error, errc::invalid_argument);
    sim.drain(1s);
  }
  BOOST_REQUIRE(!embeds());
  say(0, {50}, finish_reason::stop);
  BOOST_TEST((answer(id).tokens == tokens{50}));
  BOOST_TEST(status().semantic_entries == 0u);
}

BOOST_FIXTURE_TEST_CASE(who_waits_goes_on_when_the_first_leaves,
                        semantic_fixture) {
  auto first = start(request(13, "say it"));
  auto second = start(request(13, "say it"));
  BOOST_TEST(jobs() == 1u);
  caf::anon_send(gate, cancel_request{first});
  sim.run();
  BOOST_REQUIRE(jobs() == 2u);
  BOOST_REQUIRE(!embeds());
  say(0, {50}, finish_reason::stop);
  BOOST_TEST((answer(second).tokens == tokens{50}));
}

// Whoever waits for what turns out to be near gets its answer, too.
BOOST_FIXTURE_TEST_CASE(who_waits_shares_what_is_near, semantic_fixture) {
  for (token_id n = 0; status().semantic_hits < 5; ++n) {
    BOOST_REQUIRE(n < 200);
    auto r = request(13, "say it");
    r.prompt[0] = 3 + n % 100;
    r.prompt[1] = 3 + n / 100;
    auto id = ask(std::move(r), east);
    if (!over(id))
      say(0, {50, 51}, finish_reason::stop);
  }
  for (token_id n = 0;; ++n) {
    BOOST_REQUIRE(n < 50);
    auto r = request(14, "say it");
    r.prompt[0] = 3 + n;
    auto before = status().semantic_hits;
    auto first = start(r);
    auto second = start(r);
    embedded(east);
    if (!over(first) || !over(second))
      say(0, {50, 51}, finish_reason::stop);
    for (auto id : {first, second})
      BOOST_TEST((answer(id).tokens == tokens{50, 51}));
    if (status().semantic_hits == before + 2)
      break;
  }
}

BOOST_FIXTURE_TEST_CASE(a_version_that_goes_takes_what_is_near_with_it,
                        semantic_fixture) {
  ask(request(13, "say it"), east);
  say(0, {50}, finish_reason::stop);
  BOOST_TEST(status().semantic_entries == 1u);
  auto m = dismiss_version{};
  m.version = 1;
  caf::anon_send(cache, m);
  sim.run();
  BOOST_TEST(status().semantic_entries == 0u);
  BOOST_TEST(status().semantic_bytes == 0u);
}

// Words of another length leave other room where that is open.
BOOST_FIXTURE_TEST_CASE(open_room_does_not_tell_words_apart, semantic_fixture) {
  for (token_id n = 0; status().semantic_hits == 0; ++n) {
    BOOST_REQUIRE(n < 200);
    auto r = request(3 + n, "say it");
    r.prompt.resize(4 + n % 5, 7);
    r.prompt.push_back(3 + n);
    r.max_tokens = 0;
    auto id = ask(std::move(r), east);
    if (!over(id))
      say(0, {50, 51}, finish_reason::stop);
    BOOST_TEST((answer(id).tokens == tokens{50, 51}));
  }
}

// The answer to a short prompt may be longer than a long one leaves room for.
BOOST_FIXTURE_TEST_CASE(what_does_not_fit_is_computed, semantic_fixture) {
  auto most = tokens(40, 50);
  for (token_id n = 0; status().semantic_hits == 0; ++n) {
    BOOST_REQUIRE(n < 200);
    auto r = request(3 + n, "say it");
    r.max_tokens = 0;
    auto id = ask(std::move(r), east);
    if (!over(id))
      say(0, most, finish_reason::stop);
  }
  for (token_id n = 0;; ++n) {
    BOOST_REQUIRE(n < 50);
    auto hits = status().semantic_hits;
    auto r = request(3 + n, "say it");
    r.prompt.resize(60, 7);
    r.max_tokens = 0;
    auto id = ask(std::move(r), east);
    auto hit = status().semantic_hits > hits;
    BOOST_REQUIRE(!over(id));
    say(0, {52}, finish_reason::stop);
    BOOST_TEST((answer(id).tokens == tokens{52}));
    if (hit)
      break;
  }
}

BOOST_FIXTURE_TEST_CASE(a_vector_that_does_not_come_is_not_waited_for,
                        semantic_fixture) {
  auto id = start(request(13, "say it"));
  BOOST_REQUIRE(embeds());
  auto late = job();
  sim.drain(7s);
  BOOST_REQUIRE(!embeds());
  say(0, {50}, finish_reason::stop);
  BOOST_TEST((answer(id).tokens == tokens{50}));
  auto o = output_for(late, 0, {}, finish_reason::stop);
  o.state = east;
  emit(late, o);
  sim.run();
  BOOST_TEST(heard->answers[id].finishes.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_cache_that_is_gone_is_not_waited_for,
                        semantic_fixture) {
  auto first = start(request(13, "say it"));
  auto second = start(request(13, "say it"));
  BOOST_REQUIRE(embeds());
  auto before = jobs();
  sim.kill(cache);
  sim.run();
  BOOST_REQUIRE(jobs() == before + 2);
  for (auto& job : {prefills->jobs[before], prefills->jobs[before + 1]})
    emit(job, output_for(job, 0, {50}, finish_reason::stop));
  sim.run();
  for (auto id : {first, second})
    BOOST_TEST((answer(id).tokens == tokens{50}));
}

BOOST_FIXTURE_TEST_CASE(a_version_that_is_gone_learns_nothing_more,
                        semantic_fixture) {
  ask(request(13, "say it"), east);
  auto m = dismiss_version{};
  m.version = 1;
  caf::anon_send(cache, m);
  sim.run();
  say(0, {50}, finish_reason::stop);
  BOOST_TEST(status().semantic_entries == 0u);
}

// Nobody who numbers requests meets those that the cache asks for.
BOOST_FIXTURE_TEST_CASE(numbers_do_not_meet, semantic_fixture) {
  for (request_id n = 1; n <= 3; ++n) {
    auto r = request(static_cast<token_id>(10 + n), "say it");
    r.request = n;
    BOOST_TEST(start(std::move(r)) == n);
  }
}

BOOST_AUTO_TEST_SUITE_END()
