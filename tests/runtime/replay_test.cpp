#include <boost/test/unit_test.hpp>

#include <fstream>
#include <iterator>
#include <thread>

#include "actors/births.hpp"
#include "core/base/random.hpp"
#include "core/trace/trace_check.hpp"
#include "core/trace/trace_model.hpp"
#include "runtime/replay/replayer.hpp"
#include "runtime/runtime.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// A process whose messages were recorded, and what its files say.
struct recording {
  temp_dir dir;
  std::vector<std::byte> bytes;
  trace_model model;
  replay_script script;

  runtime_options options(bool payloads = true) {
    write_tiny_model(dir.file("tiny.gguf"));
    auto o = runtime_options{};
    o.model = dir.file("tiny.gguf");
    o.threads = 1;
    o.trace.emplace();
    o.trace->file = dir.file("trace");
    o.trace->payloads = payloads;
    return o;
  }

  template <class F>
  void record(runtime_options o, F work) {
    auto rt = runtime::open(std::move(o));
    BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
    work(*rt);
  }

  void read() {
    auto in = std::ifstream{dir.file("trace"), std::ios::binary};
    auto text = std::string(std::istreambuf_iterator<char>{in}, {});
    auto all = std::as_bytes(std::span{text});
    bytes.assign(all.begin(), all.end());
    model = read_trace(std::vector{trace_input{"trace", bytes}});
    BOOST_TEST(!model.damaged());
  }

  void read_script() {
    read();
    auto s = make_script(model);
    BOOST_REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : s.failure().message));
    script = std::move(*s);
  }

  replay_report play(const replay_factories& f = all_replay_factories(),
                     const replay_options& o = {}) {
    auto r = replay(script, o, {}, f);
    BOOST_REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.failure().message));
    return std::move(*r);
  }
};

std::string to_text(const replay_difference& d) {
  return d.actor + ", message " + std::to_string(d.message) + ": " + d.what
         + "\n  recorded: " + d.recorded + "\n  replayed: " + d.replayed;
}

void expect_same(const replay_report& r) {
  BOOST_TEST(!r.difference.has_value(),
             (r.difference ? to_text(*r.difference) : ""));
}

completion run(runtime& rt, const generate_request& r) {
  auto g = rt.submit(r);
  BOOST_REQUIRE_MESSAGE(g.ok(), (g.ok() ? "" : g.failure().message));
  return collect(*g);
}

// A session as it is, but that gets the fourth token wrong.
session_actor::behavior_type
wrong_session(actor_pointer<session_actor, session_state> self,
              std::unique_ptr<session_task> task) {
  auto right = session(self, std::move(task));
  auto b = std::make_shared<caf::behavior>(std::move(right.unbox()));
  auto pass = [b](auto m) {
    auto content = caf::make_message(std::move(m));
    (*b)(content);
  };
  return {
      [=](const sequence_output& o) {
        auto changed = o;
        if (o.index <= 3 && o.index + o.tokens.size() > 3)
          changed.tokens[3 - o.index] ^= 1;
        pass(changed);
      },
      [=](const sequence_moved& m) { pass(m); },
      [=](const cancel_request& m) { pass(m); },
      [=](const deadline_tick& m) { pass(m); },
      [=](const node_gone& m) { pass(m); },
  };
}

replay_factories with_wrong_sessions() {
  auto f = all_replay_factories();
  f["session"] = [](replay_stage& stage, replay_props& props,
                    const actor_name& who, uint32_t process,
                    const_bytes bytes) -> result<void> {
    auto b = stage.read_birth<session_birth>(bytes);
    auto text = props.text(process);
    if (!b || !text)
      return fail(errc::bad_file, "no session");
    stage.begin(who, wrong_session, task_of(*b, *text));
    return {};
  };
  return f;
}

} // namespace

BOOST_AUTO_TEST_SUITE(replay_suite)

BOOST_AUTO_TEST_CASE(a_request_plays_again_to_the_same_tokens) {
  auto r = recording{};
  r.record(r.options(), [](runtime& rt) { run(rt, request_of(1, 20, 12)); });
  r.read_script();
  auto report = r.play();
  expect_same(report);
  BOOST_TEST(report.tokens >= 1u);
  BOOST_TEST(report.steps > 20u);
  BOOST_TEST(report.compared > 20u);
}

BOOST_AUTO_TEST_CASE(each_message_has_a_cause_and_none_is_its_own) {
  auto r = recording{};
  r.record(r.options(false), [](runtime& rt) {
    for (uint64_t i = 0; i < 5; ++i)
      run(rt, request_of(i, 20, 12));
  });
  r.read();
  auto c = check_trace(r.model);
  BOOST_TEST(c.good());
  BOOST_TEST(c.lost_causes == 0u);
  BOOST_TEST(c.undelivered == 0u);
}

BOOST_AUTO_TEST_CASE(prefill_and_decode_nodes_play_again) {
  auto r = recording{};
  auto o = r.options();
  o.nodes.prefill.resize(2);
  o.nodes.decode.resize(2);
  r.record(std::move(o), [](runtime& rt) {
    auto all = std::vector<generation>{};
    for (uint64_t i = 0; i < 6; ++i) {
      auto g = rt.submit(request_of(i, 10 + 7 * i, 20));
      BOOST_REQUIRE(g.ok());
      all.push_back(std::move(*g));
    }
    for (auto& g : all)
      collect(g);
  });
  r.read_script();
  expect_same(r.play());
}

BOOST_AUTO_TEST_CASE(preemptions_play_again) {
  auto r = recording{};
  auto o = r.options();
  o.nodes.mixed.resize(1);
  o.nodes.mixed[0].blocks = 8;
  auto preempted = uint64_t{0};
  r.record(std::move(o), [&](runtime& rt) {
    // Answers may be over before there are enough of them.
    for (uint64_t round = 0; preempted == 0 && round < 20; ++round) {
      auto all = std::vector<generation>{};
      for (uint64_t i = 0; i < 8; ++i) {
        auto g = rt.submit(request_of(8 * round + i, 20, 40));
        BOOST_REQUIRE(g.ok());
        all.push_back(std::move(*g));
      }
      for (auto& g : all)
        collect(g);
      auto s = rt.status();
      BOOST_REQUIRE(s.ok());
      preempted = s->nodes[0].swaps + s->nodes[0].recomputes;
    }
  });
  BOOST_TEST(preempted > 0u);
  r.read_script();
  expect_same(r.play());
}

BOOST_AUTO_TEST_CASE(migrations_play_again) {
  auto r = recording{};
  auto o = r.options();
  o.nodes.mixed.resize(2);
  auto moves = 0;
  r.record(std::move(o), [&](runtime& rt) {
    // An answer may be over before it moves.
    for (auto n = 1; moves == 0 && n <= 50; ++n) {
      auto g = rt.submit(request_of(n, 20, 200));
      BOOST_REQUIRE(g.ok());
      g->next();
      for (node_id to : {2, 1, 2})
        if (rt.migrate(g->id(), to).ok())
          ++moves;
      collect(*g);
    }
  });
  BOOST_TEST(moves > 0);
  r.read_script();
  expect_same(r.play());
}

BOOST_AUTO_TEST_CASE(a_changed_handler_is_found_where_it_first_shows) {
  auto r = recording{};
  r.record(r.options(), [](runtime& rt) { run(rt, request_of(1, 20, 12)); });
  r.read_script();
  auto report = r.play(with_wrong_sessions());
  BOOST_REQUIRE(report.difference.has_value());
  auto& d = *report.difference;
  BOOST_TEST(d.actor.starts_with("session#"), d.actor);
  BOOST_TEST(d.what == "the message holds something else", to_text(d));
  BOOST_TEST(d.recorded.starts_with("troupe::token_event"), d.recorded);
  BOOST_TEST(d.replayed.starts_with("troupe::token_event"), d.replayed);
  auto& m = r.model.messages[d.message];
  BOOST_TEST(r.model.types[m.type] == "troupe::sequence_output");
  BOOST_TEST(d.history.back() == d.message);
  BOOST_TEST(d.history.size() > 3u);
  BOOST_TEST(!d.before.empty());
}

BOOST_AUTO_TEST_CASE(one_actor_alone_plays_again) {
  auto r = recording{};
  r.record(r.options(), [](runtime& rt) { run(rt, request_of(1, 20, 12)); });
  r.read_script();
  auto o = replay_options{};
  o.actor = "session";
  auto report = r.play(all_replay_factories(), o);
  expect_same(report);
  BOOST_TEST(report.actors == 1u);
  BOOST_TEST(report.outside.contains("gateway"));
}

BOOST_AUTO_TEST_CASE(a_replay_stops_where_it_is_told_to) {
  auto r = recording{};
  r.record(r.options(), [](runtime& rt) { run(rt, request_of(1, 20, 12)); });
  r.read_script();
  auto o = replay_options{};
  o.break_on = "troupe::prefill_job";
  auto report = r.play(all_replay_factories(), o);
  BOOST_REQUIRE(report.stopped.has_value());
  auto at = report.stopped->message;
  BOOST_TEST(r.script.messages[at].type == "troupe::prefill_job");
  BOOST_TEST(report.stopped->before != report.stopped->after);
  o.break_on.clear();
  o.until = at;
  report = r.play(all_replay_factories(), o);
  BOOST_REQUIRE(report.stopped.has_value());
  BOOST_TEST(report.stopped->message == at);
  BOOST_TEST(report.stopped->after.empty());
}

BOOST_AUTO_TEST_CASE(what_is_recorded_late_can_be_looked_at_but_not_played) {
  auto r = recording{};
  auto o = r.options();
  o.trace->wait = true;
  r.record(std::move(o), [&](runtime& rt) {
    run(rt, request_of(1, 20, 12));
    BOOST_TEST(!rt.trace().recording);
    BOOST_TEST((rt.stop_trace().failure().code == errc::invalid_argument));
    // Again and again, each in place of the one before.
    for (uint64_t i = 2; i < 5; ++i) {
      BOOST_REQUIRE(rt.start_trace().ok());
      BOOST_TEST((rt.start_trace().failure().code == errc::invalid_argument));
      run(rt, request_of(i, 20, 12));
      BOOST_TEST(rt.trace().recording);
      auto ended = rt.stop_trace();
      BOOST_REQUIRE(ended.ok());
      BOOST_TEST(ended->file == r.dir.file("trace"));
      BOOST_TEST(ended->bytes > 1000u);
      BOOST_TEST(!rt.trace().recording);
      run(rt, request_of(10 + i, 20, 12)); // of which nobody hears
    }
  });
  r.read();
  auto named = requests_of(r.model);
  BOOST_REQUIRE(!named.empty());
  BOOST_TEST(named.back() == 6u);
  BOOST_TEST(named.front() > 4u); // the one before may still be ending
  BOOST_TEST(check_trace(r.model).good());
  auto s = make_script(r.model);
  BOOST_REQUIRE(!s.ok());
  BOOST_TEST((s.failure().code == errc::unsupported));
  BOOST_TEST(s.failure().message.find("not replayed") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_recording_goes_on_after_one_that_could_not) {
  auto r = recording{};
  auto o = r.options();
  o.trace->wait = true;
  auto nowhere = trace_options{};
  nowhere.file = r.dir.file("no/such/folder/trace");
  r.record(std::move(o), [&](runtime& rt) {
    BOOST_TEST((rt.start_trace(nowhere).failure().code == errc::io_error));
    BOOST_TEST((rt.start_trace(trace_options{}).failure().code
                == errc::invalid_argument));
    auto full = trace_options{};
    full.file = "/dev/full"; // which opens, and takes no byte
    BOOST_TEST((rt.start_trace(full).failure().code == errc::io_error));
    BOOST_TEST(!rt.trace().recording);
    BOOST_REQUIRE(rt.start_trace().ok());
    run(rt, request_of(1, 20, 12));
  });
  r.read();
  BOOST_TEST(check_trace(r.model).good());
}

BOOST_AUTO_TEST_CASE(without_contents_nothing_can_be_played) {
  auto r = recording{};
  r.record(r.options(false), [](runtime& rt) { run(rt, request_of(1, 5, 3)); });
  r.read();
  auto s = make_script(r.model);
  BOOST_REQUIRE(!s.ok());
  BOOST_TEST((s.failure().code == errc::unsupported));
  BOOST_TEST(s.failure().message.find("--trace-payloads") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
