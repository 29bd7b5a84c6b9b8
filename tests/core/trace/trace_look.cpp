#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "core/trace/look/trace_follow.hpp"
#include "core/trace/look/trace_path.hpp"
#include "core/trace/look/trace_show.hpp"
#include "core/trace/look/trace_stats.hpp"
#include "core/trace/look/trace_why.hpp"
#include "tests/support/core/trace_scene.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

std::vector<std::string> lines_of(const trace_model& m, trace_filter f) {
  auto lines = std::vector<std::string>{};
  show_trace(m, f, [&](std::string_view s) {
    lines.emplace_back(s);
    return true;
  });
  return lines;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace_looks)

// -- lines --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_line_says_who_what_when_and_how_long) {
  auto f = scene_of(3);
  auto m = model_of(f);
  auto lines = lines_of(m, {.request = 7, .type = "submit"});
  BOOST_REQUIRE(lines.size() == 1u);
  BOOST_TEST(contains(lines[0], "0.038000 ms  session#3 → decode_node#4 "));
  BOOST_TEST(contains(lines[0], "  submit "));
  BOOST_TEST(contains(lines[0], "request 7  queued 59.0 µs  handled 4.00 µs"));
  BOOST_TEST(lines[0].ends_with("64 B\n"));
}

BOOST_AUTO_TEST_CASE(filters_hold_together) {
  auto f = scene_of(3);
  auto m = model_of(f);
  auto count = [&](trace_filter x) { return lines_of(m, x).size(); };
  BOOST_TEST(count({}) == m.messages.size());
  BOOST_TEST(count({.type = "token_event"}) == 3u);
  BOOST_TEST(count({.type = "troupe::token_event"}) == 3u);
  BOOST_TEST(count({.actor = "gateway"}) == 3u); // with the session's init
  BOOST_TEST(count({.actor = "gateway#2"}) == 3u);
  BOOST_TEST(count({.actor = "gateway#3"}) == 0u);
  BOOST_TEST(count({.actor = "session", .type = "token_event"}) == 3u);
  BOOST_TEST(count({.request = 8}) == 0u);
  BOOST_TEST(count({.request = 7, .to_ns = 38'000}) == 3u);
  BOOST_TEST(count({.request = 7, .from_ns = 38'000, .to_ns = 38'000}) == 1u);
}

BOOST_AUTO_TEST_CASE(a_sink_that_wants_no_more_gets_no_more) {
  auto f = scene_of(3);
  auto m = model_of(f);
  auto n = 0;
  BOOST_TEST(!show_trace(m, {}, [&](std::string_view) { return ++n < 2; }));
  BOOST_TEST(n == 2);
}

BOOST_AUTO_TEST_CASE(names_of_files_bring_no_control_characters_along) {
  auto b = trace_builder{1};
  b.type(20, "troupe::\x1b[31mred\n");
  b.actor({0, 2}, "\x1b]0;title\x07", 0);
  b.arrive({{}, {0, 2}, 20, 1}, 10);
  auto f = b.bytes();
  auto m = model_of(f);
  auto line = lines_of(m, {}).at(0);
  BOOST_TEST(line.find('\x1b') == std::string::npos);
  BOOST_TEST(contains(line, "?[31mred?"));
  BOOST_TEST(contains(line, "nobody → ?]0;title?#2"));
}

BOOST_AUTO_TEST_CASE(numbers_for_people_have_three_digits) {
  using namespace trace_words;
  BOOST_TEST(duration(0) == "0 ns");
  BOOST_TEST(duration(999) == "999 ns");
  BOOST_TEST(duration(1000) == "1.00 µs");
  BOOST_TEST(duration(12'345, true) == "12.3 us");
  BOOST_TEST(duration(999'499) == "999 µs");
  BOOST_TEST(duration(999'500) == "1.00 ms");
  BOOST_TEST(duration(-1'234'567) == "-1.23 ms");
  BOOST_TEST(duration(61'000'000'000) == "61.0 s");
  BOOST_TEST(exact_ms(1'000'001) == "1.000001");
  BOOST_TEST(exact_ms(-1) == "-0.000001");
  BOOST_TEST(bytes(1536) == "1.5 KiB");
  BOOST_TEST(xml("<a href='x'>&\"") == "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
  BOOST_TEST(left("µs", 4) == "µs  ");
}

// -- while it is written ------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_follower_shows_each_handled_message_once) {
  auto f = scene_of(20);
  auto m = model_of(f);
  auto wanted = std::multiset<std::string>{};
  for (auto i : m.handlings[0])
    wanted.insert(show_message(m, i, m.begin_ns(), false));
  for (size_t step : {size_t{1}, size_t{100}, f.size()}) {
    auto follower = trace_follower{};
    auto seen = std::multiset<std::string>{};
    for (auto n = size_t{0}; n < f.size();) {
      n = std::min(n + step, f.size());
      follower.read(const_bytes{f}.first(n), {}, [&](std::string_view s) {
        seen.emplace(s);
        return true;
      });
    }
    BOOST_TEST((seen == wanted));
  }
}

BOOST_AUTO_TEST_CASE(a_follower_keeps_what_was_not_handled_yet) {
  auto b = trace_builder{1};
  name_scene(b);
  auto a = b.arrive({{}, scene_node, scene_submit, 7}, 10);
  b.begin(scene_node, a, 20);
  auto t = b.leave({scene_node, scene_node, scene_tick, 7}, 25, 1000);
  b.end(30);
  auto open = b.arrive({{}, scene_gateway, scene_query, 7}, 40);
  b.chunk(100);
  auto due =
      b.arrive_marked({scene_node, scene_node, scene_tick, 7}, 1030, 1, t);
  b.chunk(1100);
  b.handle(scene_node, due, 1130, 1140);
  b.handle(scene_gateway, open, 1150, 1160);
  auto f = b.bytes();
  auto follower = trace_follower{};
  auto text = std::string{};
  for (size_t n = 0; n <= f.size(); ++n)
    follower.read(const_bytes{f}.first(n), {}, [&](std::string_view s) {
      text += s;
      return true;
    });
  BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 3);
  BOOST_TEST(contains(text, "step_tick             request 7  after 1.00 µs  "
                            "queued 100 ns"));
  BOOST_TEST(contains(text, "queued 1.11 µs"));
}

// -- statistics ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(statistics_are_those_of_a_plain_count) {
  auto f = scene_of(20);
  auto m = model_of(f);
  auto s = stats_of(m);
  auto all = uint64_t{0};
  for (auto& x : s.flows)
    all += x.count;
  auto messages = uint64_t{0};
  for (auto& x : m.messages)
    messages += !x.is_pseudo();
  BOOST_TEST(all == messages);
  auto tick = s.flows.at(0);
  BOOST_TEST(tick.from == "decode_node");
  BOOST_TEST(tick.to == "decode_node");
  BOOST_TEST(tick.type == "step_tick");
  BOOST_TEST(tick.count == 21u);
  BOOST_TEST(tick.handled == 20u);
  BOOST_TEST(tick.unhandled == 1u);
  BOOST_TEST(tick.bytes == 21u * 64u);
  BOOST_TEST(tick.queueing.p50 == 7000);
  BOOST_TEST(tick.handling.max == 95'000);
  BOOST_TEST(m.actor_name(s.busiest.at(0).actor) == "decode_node#4");
  BOOST_TEST(s.busiest[0].busy_ns == 21 * 95'000 + 4000);
  BOOST_TEST(s.slowest.size() == 10u);
  BOOST_TEST(stats_of(m, 8).flows.empty());
  BOOST_TEST(stats_of(m, 7).flows.at(0).type == "step_output");
  auto j = nlohmann::json::parse(to_json(s, m));
  BOOST_TEST(j["flows"].size() == s.flows.size());
  BOOST_TEST(j["flows"][0]["queueing"]["p99_ns"] == 7000);
  BOOST_TEST(contains(to_text(s, m), "decode_node → decode_node"));
}

BOOST_AUTO_TEST_CASE(quantiles_are_the_nearest_ranks) {
  auto b = trace_builder{1};
  b.type(20, "t");
  for (int64_t i = 1; i <= 200; ++i) {
    auto at = i * 1000;
    auto a = b.arrive({{}, {0, 2}, 20}, at);
    b.handle({0, 2}, a, at + (i * 37) % 201, at + 300);
  }
  auto f = b.bytes();
  auto flow = stats_of(model_of(f)).flows.at(0);
  // Their waits are 1 to 200, each once.
  BOOST_TEST(flow.queueing.p50 == 100);
  BOOST_TEST(flow.queueing.p99 == 198);
  BOOST_TEST(flow.queueing.max == 200);
}

// -- paths --------------------------------------------------------------------

namespace {

int64_t sum_of(const trace_path& p) {
  auto sum = int64_t{0};
  for (auto& h : p.hops)
    sum += h.whole_ns();
  return sum;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_way_to_the_first_token_goes_through_who_kept_it) {
  auto f = scene_of(20);
  auto m = model_of(f);
  auto p = critical_path(m, 7, first_token_of(m, 7));
  BOOST_REQUIRE(p.hops.size() == 5u);
  BOOST_TEST(p.whole_ns == 186'000);
  BOOST_TEST(sum_of(p) == p.whole_ns);
  BOOST_TEST(p.hops[0].type == "generate_request");
  BOOST_TEST(p.hops[0].queue_ns == 10'000);
  BOOST_TEST(p.hops[0].handling_ns == 8000);
  BOOST_TEST(p.hops[2].type == "submit");
  BOOST_TEST(p.hops[2].queue_ns == 59'000);
  BOOST_TEST(p.hops[2].handling_ns == 4000);
  BOOST_TEST(p.hops[2].held_ns == 86'000);
  BOOST_TEST(p.hops[4].type == "token_event");
  BOOST_TEST(contains(to_text(p, m), "sum"));
  auto j = nlohmann::json::parse(to_json(p, m));
  BOOST_TEST(j["whole_ns"] == 186'000);
}

BOOST_AUTO_TEST_CASE(the_way_to_the_end_goes_through_all_steps) {
  auto f = scene_of(20);
  auto m = model_of(f);
  auto p = critical_path(m, 7, end_of(m, 7));
  BOOST_TEST(sum_of(p) == p.whole_ns);
  auto steps = std::find_if(p.hops.begin(), p.hops.end(),
                            [](auto& h) { return h.type == "step_tick"; });
  BOOST_REQUIRE(steps != p.hops.end());
  BOOST_TEST(steps->times == 19u);
  BOOST_TEST(steps->queue_ns == 19 * 7000);
}

BOOST_AUTO_TEST_CASE(ways_to_any_message_sum_up) {
  auto f = scene_of(10);
  auto m = model_of(f);
  for (uint32_t i = 0; i < m.messages.size(); ++i)
    if (m.messages[i].request == 7) {
      auto p = critical_path(m, 7, i);
      BOOST_TEST(sum_of(p) == p.whole_ns);
      BOOST_TEST(p.begin_ns == m.begin_ns() + 8000);
    }
}

BOOST_AUTO_TEST_CASE(without_a_token_there_is_no_way_to_it) {
  auto f = scene_of(0);
  auto m = model_of(f);
  auto p = critical_path(m, 7, first_token_of(m, 7));
  BOOST_TEST(p.target == trace_none);
  BOOST_TEST(to_text(p, m) == "");
  BOOST_TEST(to_json(p, m) == "null");
}

// -- why ----------------------------------------------------------------------

using verdict = trace_why::verdict;

BOOST_AUTO_TEST_CASE(a_request_that_is_over_is_not_stuck) {
  auto f = scene_of(3);
  auto w = why_stuck(model_of(f), 7);
  BOOST_TEST((w.what == verdict::ended));
  BOOST_TEST(contains(w.sentence, "Request 7 is over: session#3 sent "
                                  "finish_event to actor#1"));
  BOOST_TEST((why_stuck(model_of(f), 8).what == verdict::unknown));
}

BOOST_AUTO_TEST_CASE(what_waits_in_a_mailbox_is_named) {
  auto b = trace_builder{1};
  name_scene(b);
  auto busy = b.arrive({{}, scene_node, scene_tick}, 10);
  auto next = b.arrive({{}, scene_node, scene_query}, 20);
  b.handle(scene_node, busy, 15, 18);
  b.arrive({scene_gateway, scene_node, scene_submit, 7}, 30);
  // A handling under way, in which it has sent something.
  b.begin(scene_node, next, 40);
  b.arrive({scene_node, scene_gateway, scene_status}, 50);
  auto f = b.bytes();
  auto m = model_of(f);
  auto w = why_stuck(m, 7);
  BOOST_TEST((w.what == verdict::waiting));
  BOOST_TEST(w.message == index_of(m, "submit"));
  BOOST_TEST(contains(w.sentence, "submit from gateway#2 waits in the mailbox "
                                  "of decode_node#4"));
  BOOST_TEST(contains(w.sentence, "2 messages wait there"));
  BOOST_TEST(contains(w.sentence, "was done with was step_tick"));
  BOOST_TEST(contains(w.sentence, "in which it sent node_status"));
}

BOOST_AUTO_TEST_CASE(what_left_and_never_arrived_is_named) {
  auto b = trace_builder{1};
  name_scene(b);
  b.node(1, "far");
  b.leave({scene_gateway, {1, 9}, scene_submit, 7}, 30);
  auto f = b.bytes();
  auto w = why_stuck(model_of(f), 7);
  BOOST_TEST((w.what == verdict::lost));
  BOOST_TEST(contains(w.sentence, "for actor#9 of node far"));
}

BOOST_AUTO_TEST_CASE(who_owes_an_answer_is_named) {
  auto mid = (uint64_t{1} << 60) | 5;
  for (auto answers : {false, true}) {
    auto b = trace_builder{1};
    name_scene(b);
    auto q = b.arrive({scene_gateway, scene_node, scene_query, 7, mid}, 30);
    b.begin(scene_node, q, 40);
    if (answers)
      b.arrive({scene_node, scene_gateway, scene_status, 0,
                mid | (uint64_t{1} << 63)},
               45);
    b.end(50);
    auto f = b.bytes();
    auto m = model_of(f);
    auto w = why_stuck(m, 7);
    BOOST_TEST((w.what == (answers ? verdict::no_more : verdict::unanswered)));
    BOOST_TEST(contains(w.sentence, answers
                                        ? "sent nothing that names the request"
                                        : "gateway#2 asked decode_node#4 with "
                                          "status_query"));
  }
}

BOOST_AUTO_TEST_CASE(a_timer_that_is_not_due_is_named) {
  auto b = trace_builder{1};
  name_scene(b);
  b.leave({scene_node, scene_node, scene_tick, 7}, 30, 5'000'000);
  auto f = b.bytes();
  auto w = why_stuck(model_of(f), 7);
  BOOST_TEST((w.what == verdict::later));
  BOOST_TEST(contains(w.sentence, "5.00 ms later"));
}

BOOST_AUTO_TEST_CASE(a_message_without_consequence_is_named) {
  auto b = trace_builder{1};
  name_scene(b);
  auto a = b.arrive({scene_gateway, scene_node, scene_submit, 7}, 30);
  b.handle(scene_node, a, 40, 50);
  auto f = b.bytes();
  auto w = why_stuck(model_of(f), 7);
  BOOST_TEST((w.what == verdict::no_more));
  BOOST_TEST(contains(w.sentence, "sent nothing because of it"));
}

BOOST_AUTO_TEST_SUITE_END()
