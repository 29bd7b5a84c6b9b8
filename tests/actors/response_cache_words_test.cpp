#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "tests/actors/response_cache_fixture.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using tokens = std::vector<token_id>;

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
    auto r = cached_request();
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

BOOST_AUTO_TEST_SUITE(response_cache_in_other_words)

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
