#include <boost/test/unit_test.hpp>

#include "core/trace/trace_check.hpp"
#include "core/trace/trace_model.hpp"
#include "tests/support/core/trace_builder.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr auto client = traced{0, 1};
constexpr auto front = traced{0, 2};
constexpr auto worker = traced{0, 3};

constexpr uint16_t ask = 20;
constexpr uint16_t work = 21;
constexpr uint16_t answer = 22;
constexpr uint16_t tick = 23;

constexpr auto response = uint64_t{1} << 63;
constexpr auto normal = uint64_t{1} << 60;

void name_types(trace_builder& b) {
  b.type(ask, "troupe::ask");
  b.type(work, "troupe::work");
  b.type(answer, "troupe::answer");
  b.type(tick, "troupe::tick");
}

constexpr auto red = uint64_t{1};
constexpr auto blue = uint64_t{2};

// Node 0 is "red" in one process and node 1 in the other.
struct two_processes {
  trace_builder a;
  trace_builder b;

  explicit two_processes(int64_t skew_ns) : a(red), b(blue, skew_ns) {
    for (auto* x : {&a, &b})
      name_types(*x);
    a.node(0, "red");
    a.node(1, "blue");
    b.node(0, "blue");
    b.node(1, "red");
    a.actor({0, 2}, "front", 0);
    b.actor({0, 3}, "worker", 0);
  }
  std::vector<std::vector<std::byte>> files() { return {a.bytes(), b.bytes()}; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(trace_merges)

BOOST_AUTO_TEST_CASE(clocks_of_processes_are_brought_together) {
  for (auto skew : {int64_t{0}, int64_t{5'000'000'000}, -int64_t{3'000'000}}) {
    auto t = two_processes{skew};
    auto m1 = traced_message{{0, 2}, {1, 3}, work, 7};
    auto ask_in = t.a.arrive({{}, {0, 2}, ask, 7}, 1000);
    t.a.begin({0, 2}, ask_in, 1100);
    auto left = t.a.leave(m1, 1200);
    t.a.end(1300);
    // 500 ns there, 700 ns back: the clock is taken to be 100 ns off.
    auto in = t.b.arrive_marked({{1, 2}, {0, 3}, work, 7}, 1700, red, left);
    t.b.begin({0, 3}, in, 1800);
    auto back = t.b.leave({{0, 3}, {1, 2}, answer, 7}, 1900);
    t.b.end(2000);
    auto got = t.a.arrive_marked({{1, 3}, {0, 2}, answer, 7}, 2600, blue, back);
    t.a.handle({0, 2}, got, 2700, 2800);
    auto files = t.files();
    auto m = model_of(files);
    BOOST_REQUIRE(m.messages.size() == 3u);
    BOOST_TEST(m.processes[1].clock.correction_ns == 100 - skew);
    auto& w = only(m, "work");
    BOOST_TEST(w.wire_ns() == 600);
    BOOST_TEST(only(m, "answer").wire_ns() == 600);
    BOOST_TEST(w.queueing_ns() == 100);
    BOOST_TEST(m.actor_name(w.receiver) == "worker#3");
    BOOST_TEST(m.nodes[m.actors[w.receiver].node] == "blue");
    BOOST_TEST(w.cause == index_of(m, "ask"));
    BOOST_TEST(only(m, "answer").cause == index_of(m, "work"));
    BOOST_TEST(check_trace(m).good());
    BOOST_TEST(check_trace(m).caused == 2u);
    // The order of files makes no difference but to numbers of processes.
    auto turned = std::vector{files[1], files[0]};
    auto n = model_of(turned);
    BOOST_TEST(only(n, "work").wire_ns() == 600);
    BOOST_TEST(check_trace(n).caused == 2u);
  }
}

BOOST_AUTO_TEST_CASE(with_messages_one_way_none_arrives_before_it_left) {
  auto t = two_processes{-1'000'000};
  auto left = t.a.leave({{0, 2}, {1, 3}, work, 7}, 1200);
  t.b.arrive_marked({{1, 2}, {0, 3}, work, 7}, 1700, red, left);
  auto files = t.files();
  auto m = model_of(files);
  BOOST_TEST(only(m, "work").wire_ns() == 0);
  BOOST_TEST(only(m, "work").arrived_ns == only(m, "work").left_ns);
}

BOOST_AUTO_TEST_CASE(what_left_elsewhere_is_a_root_without_that_file) {
  auto t = two_processes{0};
  auto left = t.a.leave({{0, 2}, {1, 3}, work, 7}, 1200);
  t.b.arrive_marked({{1, 2}, {0, 3}, work, 7}, 1700, red, left);
  auto files = t.files();
  files.erase(files.begin());
  auto m = model_of(files);
  auto& w = only(m, "work");
  BOOST_TEST(w.is(trace_lost_departure));
  BOOST_TEST(w.cause == trace_none);
  BOOST_TEST(check_trace(m).lost_departures == 1u);
  auto other = t.a.bytes();
  auto n = model_of(other);
  BOOST_TEST(!only(n, "work").is(trace_arrived));
  BOOST_TEST(check_trace(n).undelivered == 1u);
}

BOOST_AUTO_TEST_CASE(answers_between_processes_are_caused_by_requests) {
  auto t = two_processes{0};
  auto asked = normal | 9;
  auto in = t.a.arrive({{}, {0, 2}, ask, 7}, 1000);
  t.a.begin({0, 2}, in, 1100);
  auto left = t.a.leave({{0, 2}, {1, 3}, work, 7, asked}, 1200);
  t.a.end(1300);
  auto got =
      t.b.arrive_marked({{1, 2}, {0, 3}, work, 7, asked}, 1700, red, left);
  t.b.handle({0, 3}, got, 1800, 2000);
  auto back = t.a.arrive({{1, 3}, {0, 2}, answer, 7, asked | response}, 2500);
  t.a.handle({0, 2}, back, 2600, 2700);
  // Of another request, and so of nobody here.
  t.a.arrive({{1, 3}, {0, 2}, tick, 7, response | normal | 10}, 2800);
  auto files = t.files();
  auto m = model_of(files);
  auto& x = only(m, "answer");
  BOOST_TEST(x.cause == index_of(m, "work"));
  BOOST_TEST(x.is(trace_inferred));
  BOOST_TEST(x.wire_ns() == 500);
  BOOST_TEST(only(m, "tick").cause == trace_none);
  BOOST_TEST(check_trace(m).inferred == 1u);
  BOOST_TEST(check_trace(m).good());
}

BOOST_AUTO_TEST_CASE(a_request_that_was_sent_on_is_caused_by_who_did) {
  auto t = two_processes{0};
  auto asked = normal | 9;
  auto in = t.a.arrive({client, {0, 2}, ask, 7, asked}, 1000);
  t.a.handle({0, 2}, in, 1100, 1200);
  // By its own middleman, which marks nothing.
  auto on = t.b.arrive({{1, 1}, {0, 3}, work, 7, asked}, 1700);
  t.b.handle({0, 3}, on, 1800, 1900);
  auto back = t.a.arrive({{1, 3}, client, answer, 7, asked | response}, 2500);
  t.a.handle(client, back, 2600, 2700);
  auto files = t.files();
  auto m = model_of(files);
  BOOST_TEST(only(m, "ask").cause == trace_none);
  BOOST_TEST(only(m, "work").cause == index_of(m, "ask"));
  BOOST_TEST(only(m, "answer").cause == index_of(m, "work"));
  BOOST_TEST(check_trace(m).cycles == 0u);
}

BOOST_AUTO_TEST_CASE(rotated_files_are_one_process) {
  auto older = trace_builder{5};
  name_types(older);
  older.node(0, "here");
  older.actor(worker, "worker", 1);
  auto in = older.arrive({{}, worker, ask, 7}, 10);
  older.begin(worker, in, 20);
  older.arrive({worker, front, work, 7}, 25);
  older.chunk(30);
  auto newer = trace_builder{5, 0, 1};
  name_types(newer);
  newer.node(0, "here");
  newer.actor(worker, "worker", 1);
  // That handling has the same number in both.
  newer.begin(worker, in, 20);
  newer.end(40);
  auto files = std::vector{newer.bytes(), older.bytes()};
  auto m = model_of(files);
  BOOST_TEST(m.processes.size() == 1u);
  BOOST_TEST(m.actors.size() == 2u);
  BOOST_TEST((m.processes[0].files == std::vector{1u, 0u}));
  BOOST_TEST(m.messages.size() == 2u);
  BOOST_TEST(only(m, "work").cause == index_of(m, "ask"));
  BOOST_TEST(!m.damaged());
  files.push_back(files[0]);
  auto again = model_of(files);
  BOOST_TEST(again.messages.size() == 2u);
  BOOST_REQUIRE(again.findings[2].size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_missing_rotated_file_is_told) {
  auto a = trace_builder{5};
  auto b = trace_builder{5, 0, 2};
  auto files = std::vector{a.bytes(), b.bytes()};
  auto m = model_of(files);
  BOOST_TEST(m.findings[0].empty());
  BOOST_REQUIRE(m.findings[1].size() == 1u);
  BOOST_TEST(m.findings[1][0].what.find("is missing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_the_process_says_of_itself_is_known) {
  auto b = trace_builder{5, 0, 0, trace_payloads};
  b.about("role=mixed");
  b.about("model=a=b.gguf");
  b.chunk(10, 3);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_TEST(m.processes[0].says("role") == "mixed");
  BOOST_TEST(m.processes[0].says("model") == "a=b.gguf");
  BOOST_TEST(m.processes[0].says("pid") == "");
  BOOST_TEST(m.processes[0].flags == trace_payloads);
  BOOST_TEST(m.processes[0].dropped == 3u);
  BOOST_TEST(!check_trace(m).good());
}

BOOST_AUTO_TEST_SUITE_END()
