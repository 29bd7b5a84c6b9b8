#include "core/trace/trace_model.hpp"

#include <boost/test/unit_test.hpp>

#include "core/trace/trace_check.hpp"
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

void name_types(trace_builder& b) {
  b.type(ask, "troupe::ask");
  b.type(work, "troupe::work");
  b.type(answer, "troupe::answer");
  b.type(tick, "troupe::tick");
}

// A client asks, the front door sends on, the worker answers.
trace_builder one_process() {
  auto b = trace_builder{1};
  name_types(b);
  b.node(0, "here");
  b.actor(front, "front", 0);
  b.actor(worker, "worker", 0);
  b.chunk(5);
  auto a = b.arrive({client, front, ask, 7}, 10);
  b.begin(front, a, 20);
  auto w = b.arrive({front, worker, work, 7}, 25);
  b.end(30);
  b.begin(worker, w, 40);
  b.arrive({worker, client, answer, 7}, 45);
  b.end(50);
  return b;
}

int64_t after(const trace_model& m, int64_t ns) {
  return ns - m.begin_ns();
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace_models)

BOOST_AUTO_TEST_CASE(messages_have_times_names_and_causes) {
  auto f = one_process().bytes();
  auto m = model_of(f);
  BOOST_REQUIRE(m.messages.size() == 3u);
  BOOST_TEST(!m.damaged());
  auto& w = only(m, "work");
  BOOST_TEST(m.actor_name(w.sender) == "front#2");
  BOOST_TEST(m.actor_name(w.receiver) == "worker#3");
  BOOST_TEST(m.actor_name(only(m, "ask").sender) == "actor#1");
  BOOST_TEST(w.request == 7u);
  BOOST_TEST(w.bytes == 64u);
  BOOST_TEST(after(m, w.arrived_ns) == 15);
  BOOST_TEST(w.queueing_ns() == 15);
  BOOST_TEST(w.handling_ns() == 10);
  BOOST_TEST(only(m, "ask").cause == trace_none);
  BOOST_TEST(w.cause == index_of(m, "ask"));
  BOOST_TEST(only(m, "answer").cause == index_of(m, "work"));
  BOOST_TEST(!only(m, "answer").is(trace_is_handled));
  BOOST_REQUIRE(m.handlings.size() == 1u);
  BOOST_TEST(
      (m.handlings[0] == std::vector{index_of(m, "ask"), index_of(m, "work")}));
}

BOOST_AUTO_TEST_CASE(an_address_that_is_used_again_names_another_message) {
  auto b = trace_builder{1};
  name_types(b);
  auto a = b.arrive({{}, worker, ask}, 10);
  auto same = b.arrive({{}, worker, tick}, 60, {}, a);
  b.arrive({{}, front, work}, 15, {}, a);
  // What threads wrote is not in order of time.
  b.handle(worker, same, 70, 80);
  b.handle(worker, a, 20, 30);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_TEST(after(m, only(m, "ask").begun_ns) == 10);
  BOOST_TEST(after(m, only(m, "tick").begun_ns) == 60);
  BOOST_TEST(!only(m, "work").is(trace_is_handled));
}

BOOST_AUTO_TEST_CASE(a_message_that_was_put_back_counts_once) {
  auto b = trace_builder{1};
  name_types(b);
  auto a = b.arrive({{}, worker, ask}, 10);
  b.begin(worker, a, 20);
  b.arrive({worker, front, work}, 21);
  b.end(25);
  b.handle(worker, a, 40, 50);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_TEST(m.messages.size() == 2u);
  BOOST_TEST(after(m, only(m, "ask").begun_ns) == 30);
  BOOST_TEST(only(m, "work").cause == index_of(m, "ask"));
}

BOOST_AUTO_TEST_CASE(a_timer_is_one_message_from_wish_to_handling) {
  auto b = trace_builder{1};
  name_types(b);
  auto a = b.arrive({{}, worker, ask}, 10);
  b.begin(worker, a, 20);
  auto t = b.leave({worker, worker, tick}, 25, 1000);
  b.leave({worker, worker, work}, 26, 2000);
  b.end(30);
  auto due = b.arrive_marked({worker, worker, tick}, 1030, 1, t);
  b.handle(worker, due, 1040, 1050);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_TEST(m.messages.size() == 3u);
  auto& x = only(m, "tick");
  BOOST_TEST(x.is(trace_is_timer));
  BOOST_TEST(x.delay_ns == 1000u);
  BOOST_TEST(x.wire_ns() == 1005);
  BOOST_TEST(x.cause == index_of(m, "ask"));
  BOOST_TEST(x.is(trace_is_handled));
  BOOST_TEST(!only(m, "work").is(trace_arrived));
  auto c = check_trace(m);
  BOOST_TEST(c.pending_timers == 1u);
  BOOST_TEST(c.good());
}

BOOST_AUTO_TEST_CASE(actors_begin_and_end_because_of_something) {
  auto b = trace_builder{1};
  name_types(b);
  b.node(0, "here");
  b.actor(front, "front", 1);
  auto birth = std::as_bytes(std::span{"model", 5});
  auto a = b.arrive({{}, front, ask}, 10);
  b.begin(front, a, 20);
  b.actor(worker, "worker", 22, birth);
  b.begin(worker, 0, 23, trace_init);
  b.end(26);
  b.end(30);
  auto w = b.arrive({{}, worker, work}, 40);
  b.handle(worker, w, 45, 50);
  b.begin(worker, 0, 60, trace_cleanup);
  b.arrive({worker, front, answer}, 61);
  b.end(65);
  b.gone(worker, 66);
  auto f = b.bytes();
  auto m = model_of(f);
  auto init = index_of(m, "init");
  auto cleanup = index_of(m, "cleanup");
  BOOST_TEST(m.messages[init].cause == index_of(m, "ask"));
  BOOST_TEST(m.actor_name(m.messages[init].sender) == "front#2");
  BOOST_TEST(m.messages[cleanup].cause == index_of(m, "work"));
  BOOST_TEST(only(m, "answer").cause == cleanup);
  auto& actor = m.actors[m.messages[init].receiver];
  BOOST_TEST(actor.cause == index_of(m, "ask"));
  BOOST_TEST(after(m, actor.born_ns) == 12);
  BOOST_TEST(after(m, actor.ended_ns) == 56);
  BOOST_TEST(text_of(actor.payload) == "model");
}

BOOST_AUTO_TEST_CASE(what_was_under_way_at_the_end_is_a_lost_cause) {
  auto b = trace_builder{1};
  name_types(b);
  auto a = b.arrive({{}, front, ask}, 10);
  b.begin(front, a, 20);
  b.arrive({front, worker, work}, 22);
  auto f = b.bytes(); // without the record of the handling
  auto m = model_of(f);
  BOOST_TEST(only(m, "work").cause == trace_none);
  BOOST_TEST(only(m, "work").is(trace_lost_cause));
  auto c = check_trace(m);
  BOOST_TEST(c.lost_causes == 1u);
  BOOST_TEST(c.outside == 1u);
  BOOST_TEST(c.to_outside == 2u);
}

BOOST_AUTO_TEST_CASE(a_handling_without_an_arrival_is_still_a_cause) {
  auto b = trace_builder{1};
  name_types(b);
  b.begin(front, 0x77, 20);
  b.arrive({front, worker, work}, 22);
  b.end(25);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_REQUIRE(m.messages.size() == 2u);
  auto& w = only(m, "work");
  BOOST_REQUIRE(w.cause != trace_none);
  BOOST_TEST(m.messages[w.cause].is(trace_lost_arrival));
}

// -- trees --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_tree_of_a_request_has_what_led_to_it) {
  auto b = trace_builder{1};
  name_types(b);
  auto tick_in = b.arrive({{}, front, tick}, 10);
  b.begin(front, tick_in, 20);
  auto w = b.arrive({front, worker, work, 7}, 25);
  b.arrive({front, worker, ask, 8}, 26);
  b.end(30);
  b.begin(worker, w, 40);
  b.arrive({worker, front, answer, 0}, 45);
  b.end(50);
  auto f = b.bytes();
  auto m = model_of(f);
  BOOST_TEST((causal_tree(m, 7)
              == std::vector{index_of(m, "tick"), index_of(m, "work")}));
  BOOST_TEST(causal_tree(m, 9).empty());
  BOOST_TEST((requests_of(m) == std::vector<uint64_t>{7, 8}));
  BOOST_TEST((causes_of(m, index_of(m, "answer"))
              == std::vector{index_of(m, "answer"), index_of(m, "work"),
                             index_of(m, "tick")}));
}

BOOST_AUTO_TEST_CASE(causes_that_go_round_are_counted_and_left) {
  auto m = trace_model{};
  m.messages.resize(6);
  auto causes = {1u, 2u, 3u, 1u, trace_none, 4u};
  auto i = m.messages.begin();
  for (auto c : causes) {
    i->request = 7;
    i++->cause = c;
  }
  BOOST_TEST(check_trace(m).cycles == 3u);
  BOOST_TEST(causal_tree(m, 7).size() == 6u);
  for (uint32_t k = 0; k < 6; ++k)
    BOOST_TEST(causes_of(m, k).size() <= 8u);
  BOOST_TEST((causes_of(m, 5) == std::vector{5u, 4u}));
}

BOOST_AUTO_TEST_CASE(effects_before_their_causes_are_counted) {
  auto b = trace_builder{1};
  name_types(b);
  auto a = b.arrive({{}, front, ask}, 10);
  b.begin(front, a, 2'000'000);
  b.arrive({front, worker, work}, 25);
  b.end(2'000'100);
  auto f = b.bytes();
  auto c = check_trace(model_of(f));
  BOOST_TEST(c.early == 1u);
  BOOST_TEST(c.early_ns == 1'999'975);
  BOOST_TEST(!c.good());
}

BOOST_AUTO_TEST_SUITE_END()
