#include "actors/profiler.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "actors/error.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct fixture : faked_front {
  profiler_actor profiler;

  explicit fixture(profiler_options o = {})
      : profiler(sim.spawn(troupe::profiler, std::move(o))) {
    auto s = session_options{};
    s.profiler = profiler;
    open(std::move(s));
  }

  static generate_request request() {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = 8;
    return r;
  }

  // The first token after so long at the node, of which it waited a part.
  void first_token(std::chrono::milliseconds waited,
                   std::chrono::milliseconds after) {
    sim.advance(after);
    auto o = output_for(job(), 0, {50});
    o.queue_ns = duration{waited}.count();
    say(std::move(o));
  }

  std::map<stage, stage_latency> latencies() {
    auto all = std::map<stage, stage_latency>{};
    for (auto& s : sim.ask<stage_latencies>(gate, latency_query{}).stages)
      all[s.what] = s;
    return all;
  }

  std::string report(profile_query::kind what) {
    return sim.ask<profile_report>(gate, profile_query{what}).text;
  }

  nlohmann::json traces() {
    auto text = report(profile_query::kind::otlp_traces);
    return text.empty() ? nlohmann::json{} : nlohmann::json::parse(text);
  }

  static const nlohmann::json& spans_of(const nlohmann::json& t) {
    return t.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
  }
};

// Histograms err by one part in a hundred at most.
bool about(uint64_t ns, std::chrono::milliseconds expected) {
  auto want = static_cast<double>(duration{expected}.count());
  return std::abs(static_cast<double>(ns) - want) <= want * 0.011;
}

} // namespace

BOOST_AUTO_TEST_SUITE(profiler_of_requests)

BOOST_FIXTURE_TEST_CASE(each_stage_has_its_time, fixture) {
  start(request());
  first_token(30ms, 100ms);
  sim.advance(20ms);
  say(1, {51});
  sim.advance(40ms);
  say(2, {52}, finish_reason::stop);
  auto all = latencies();
  BOOST_TEST(all[stage::admit].count == 1u);
  BOOST_TEST(all[stage::place].count == 1u);
  BOOST_TEST(about(all[stage::queue].p50_ns, 30ms));
  BOOST_TEST(about(all[stage::prefill].p50_ns, 70ms));
  BOOST_TEST(about(all[stage::handoff].p50_ns, 20ms));
  BOOST_TEST(about(all[stage::decode].p50_ns, 40ms));
  BOOST_TEST(all[stage::cache].count == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_a_node_claims_to_have_waited_is_bounded, fixture) {
  start(request());
  first_token(24h, 10ms);
  say(1, {51}, finish_reason::stop);
  start(request());
  first_token(-5ms, 10ms);
  say(1, {51}, finish_reason::stop);
  auto all = latencies();
  BOOST_TEST(all[stage::queue].count == 2u);
  BOOST_TEST(about(all[stage::queue].p99_ns, 10ms));
  BOOST_TEST(about(all[stage::prefill].p99_ns, 10ms));
}

BOOST_FIXTURE_TEST_CASE(the_last_minute_alone_is_shown, fixture) {
  start(request());
  first_token(0ms, 10ms);
  say(1, {51}, finish_reason::stop);
  BOOST_TEST(latencies()[stage::prefill].count == 1u);
  sim.advance(2min);
  BOOST_TEST(latencies()[stage::prefill].count == 0u);
  auto text = report(profile_query::kind::prometheus);
  BOOST_TEST(text.find("troupe_stage_seconds_count{stage=\"prefill\"} 1")
             != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_is_placed_again_has_both_lives,
                        fixture) {
  start(request());
  first_token(0ms, 10ms);
  say(1, {}, finish_reason::error, errc::abandoned);
  sim.drain();
  BOOST_REQUIRE(jobs() == 2u);
  say(1, {51}, finish_reason::stop);
  auto spans = spans_of(traces());
  auto placed = std::count_if(spans.begin(), spans.end(), [](auto& s) {
    return s.at("name") == to_string(stage::place);
  });
  BOOST_TEST(placed == 2);
}

// Asked for again and again, until there is one.
BOOST_FIXTURE_TEST_CASE(a_place_is_waited_for_once, fixture) {
  auto there = script->place;
  script->place = [](const place_request&) -> caf::result<placement> {
    return to_caf({errc::no_node, "there is no node that generates"});
  };
  auto s = session_options{};
  s.profiler = profiler;
  s.node_patience = 10s;
  open(std::move(s));
  start(request());
  for (auto i = 0; i < 5; ++i) {
    sim.advance(1s);
    sim.run();
  }
  script->place = there;
  sim.drain(2s);
  first_token(0ms, 10ms);
  say(1, {51}, finish_reason::stop);
  auto all = latencies();
  BOOST_TEST(all[stage::place].count == 1u);
  BOOST_TEST(all[stage::place].p50_ns > uint64_t{4'900'000'000});
  BOOST_TEST(all[stage::prefill].count == 1u);
}

BOOST_FIXTURE_TEST_CASE(an_embedding_has_no_decoding, fixture) {
  auto r = request();
  r.embed = true;
  start(r);
  sim.advance(50ms);
  auto o = output_for(job(), 0, {}, finish_reason::stop);
  o.state = {1.f};
  o.queue_ns = duration{20ms}.count();
  say(std::move(o));
  auto all = latencies();
  BOOST_TEST(about(all[stage::queue].p50_ns, 20ms));
  BOOST_TEST(about(all[stage::prefill].p50_ns, 30ms));
  BOOST_TEST(all[stage::decode].count == 0u);
  BOOST_TEST(all[stage::handoff].count == 0u);
  BOOST_TEST(traces().is_null());
}

BOOST_FIXTURE_TEST_CASE(a_trace_goes_on_where_the_client_began_it, fixture) {
  auto r = request();
  r.trace_high = 0x4bf92f3577b34da6;
  r.trace_low = 0xa3ce929d0e0e4736;
  r.trace_parent = 0xf067aa0ba902b7;
  start(r);
  first_token(0ms, 10ms);
  say(1, {51}, finish_reason::stop);
  auto t = traces();
  auto parents = 0;
  for (auto& s : spans_of(t)) {
    BOOST_TEST(s.at("traceId") == "4bf92f3577b34da6a3ce929d0e0e4736");
    parents += s.value("parentSpanId", "") == "00f067aa0ba902b7";
  }
  BOOST_TEST(parents == 1);
  // They are told once.
  BOOST_TEST(traces().is_null());
}

BOOST_FIXTURE_TEST_CASE(requests_of_nobodys_trace_have_their_own, fixture) {
  for (auto i = 0; i < 2; ++i) {
    start(request());
    first_token(0ms, 10ms);
    say(1, {51}, finish_reason::stop);
  }
  auto ids = std::set<std::string>{};
  auto t = traces();
  for (auto& s : spans_of(t))
    ids.insert(s.at("traceId").get<std::string>());
  BOOST_TEST(ids.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(who_ends_early_is_known_as_well, fixture) {
  auto id = start(request());
  caf::anon_send(gate, cancel_request{id});
  sim.run();
  BOOST_TEST(latencies()[stage::queue].count == 1u);
  BOOST_TEST(latencies()[stage::prefill].count == 0u);
}

BOOST_AUTO_TEST_CASE(no_more_traces_are_kept_than_wanted) {
  auto o = profiler_options{};
  o.traces = 2;
  auto f = fixture{o};
  for (auto i = 0; i < 5; ++i) {
    f.start(fixture::request());
    f.first_token(0ms, 10ms);
    f.say(1, {51}, finish_reason::stop);
  }
  auto ids = std::set<std::string>{};
  auto t = f.traces();
  for (auto& s : fixture::spans_of(t))
    ids.insert(s.at("traceId").get<std::string>());
  BOOST_TEST(ids.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(stages_of_other_builds_do_no_harm, fixture) {
  auto p = request_profile{};
  p.trace_low = 1;
  p.stages.push_back({static_cast<stage>(200), 0, 10});
  p.stages.push_back({stage::decode, 10, 0});
  caf::anon_send(profiler, p);
  sim.run();
  BOOST_TEST(latencies()[stage::decode].count == 0u);
  BOOST_TEST(!report(profile_query::kind::otlp_traces).empty());
}

BOOST_AUTO_TEST_CASE(without_a_profiler_nobody_is_asked) {
  auto f = faked_front{};
  f.open();
  auto e = f.sim.ask_error<stage_latencies>(f.gate, latency_query{});
  BOOST_TEST((from_caf(e).code == errc::unsupported));
}

BOOST_FIXTURE_TEST_CASE(messages_of_each_kind_of_actor_are_counted, fixture) {
  auto of = [](std::string_view name) {
    for (auto& c : actor_activities())
      if (c.name == name)
        return c;
    return activity_count{};
  };
  auto before = of("session");
  start(request());
  BOOST_TEST(of("session").alive == before.alive + 1);
  first_token(0ms, 10ms);
  say(1, {51}, finish_reason::stop);
  sim.run();
  BOOST_TEST(of("session").alive == before.alive);
  BOOST_TEST(of("session").messages >= before.messages + 3);
}

BOOST_AUTO_TEST_SUITE_END()
