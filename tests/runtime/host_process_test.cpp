#include <boost/test/unit_test.hpp>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "runtime/embedding.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/runtime/tiny_runtime.hpp"

// Threads, signals and processes of a host that has a runtime.

using namespace troupe;
using testing::request_of;

namespace {

// Threads that would get a signal to this process.
size_t threads_with_signals() {
  auto n = size_t{0};
  for (auto& t : std::filesystem::directory_iterator{"/proc/self/task"}) {
    auto in = std::ifstream{t.path() / "status"};
    auto line = std::string{};
    while (std::getline(in, line) && !line.starts_with("SigBlk:"))
      ;
    if (!in) // it has just ended
      continue;
    auto mask = std::stoull(line.substr(line.find(':') + 1), nullptr, 16);
    auto blocks = [&](int s) { return (mask >> (s - 1) & 1) != 0; };
    BOOST_TEST(!blocks(SIGSEGV));
    n += !blocks(SIGTERM) || !blocks(SIGUSR1);
  }
  return n;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(host_process, testing::tiny_runtime)

BOOST_AUTO_TEST_CASE(a_handler_that_would_wait_is_told) {
  auto rt = open();
  auto refused = std::atomic<int>{0};
  auto ended = std::latch{2};
  auto next = std::optional<subscription>{};
  auto first = rt.submit(request_of(1, 20, 8), [&](generation::event e) {
    if (!std::holds_alternative<finish_event>(e))
      return;
    auto count = [&](const auto& r) {
      refused += !r.ok() && r.failure().code == errc::invalid_argument;
    };
    count(generate(rt, request_of(2, 20, 8)));
    count(rt.submit(request_of(2, 20, 8)));
    count(rt.status());
    auto r = embed_request{};
    r.inputs = {{5, 6, 7}};
    refused += rt.embed(std::move(r)).end.code == errc::invalid_argument;
    next.emplace(rt.submit(request_of(2, 20, 8), [&](generation::event last) {
      if (std::holds_alternative<finish_event>(last))
        ended.count_down();
    }));
    ended.count_down();
  });
  ended.wait();
  BOOST_TEST(refused == 4);
  BOOST_TEST(generate(rt, request_of(1, 20, 8)).ok());
}

BOOST_AUTO_TEST_CASE(its_threads_leave_signals_to_the_host) {
  auto before = threads_with_signals();
  auto rt = open();
  BOOST_REQUIRE(generate(rt, request_of(1, 20, 8)).ok());
  auto o = trace_options{};
  o.file = dir.file("messages.trace");
  BOOST_REQUIRE(rt.start_trace(o).ok());
  BOOST_TEST(threads_with_signals() == before);
}

BOOST_AUTO_TEST_CASE(a_forked_process_has_none_of_it) {
  auto rt = open();
  auto child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    auto refused = [](const auto& r) {
      return !r && r.failure().code == errc::abandoned;
    };
    auto ok = refused(rt.submit(request_of(1, 20, 8))) && refused(rt.status());
    rt.submit(request_of(1, 20, 8), [&](const generation::event& e) {
      ok = ok && std::get<finish_event>(e).code == errc::abandoned;
    });
    { auto gone = std::move(rt); } // does not wait for its actors
    ::_exit(ok ? 0 : 1);
  }
  auto status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(generate(rt, request_of(1, 20, 8)).ok());
}

// That a thread keeps what the end waits for would show as a test that does not
// end.
BOOST_AUTO_TEST_CASE(it_ends_while_threads_that_used_it_go_on) {
  auto rt = std::make_unique<runtime>(open());
  auto used = std::latch{6};
  auto ended = std::latch{1};
  auto well = std::atomic<int>{0};
  auto threads = std::vector<std::jthread>{};
  auto on_a_thread = [&](auto use) {
    threads.emplace_back([&, use] {
      well += use();
      used.count_down();
      ended.wait();
    });
  };
  on_a_thread([&] { return generate(*rt, request_of(1, 20, 8)).ok(); });
  on_a_thread([&] {
    auto g = rt->submit(request_of(2, 20, 8));
    return g && collect(*g).tokens.size() == 8;
  });
  on_a_thread([&] {
    rt->submit(request_of(3, 20, 8), [](generation::event) {});
    return true;
  });
  on_a_thread([&] {
    auto r = embed_request{};
    r.inputs = {{5, 6, 7}};
    return rt->embed(std::move(r)).vectors.size() == 1;
  });
  on_a_thread([&] { return rt->status().ok() && rt->versions().ok(); });
  on_a_thread([&] {
    auto o = trace_options{};
    o.file = dir.file("messages.trace");
    return rt->start_trace(o) && rt->trace().recording && rt->stop_trace();
  });
  used.wait();
  rt.reset();
  ended.count_down();
  BOOST_TEST(well == 6);
}

BOOST_AUTO_TEST_CASE(it_ends_on_another_thread_than_it_began) {
  auto rt = open();
  std::jthread{[&] { auto gone = std::move(rt); }};
  auto begun = std::optional<runtime>{};
  std::jthread{[&] { begun.emplace(open()); }}.join();
  BOOST_TEST(generate(*begun, request_of(1, 20, 8)).ok());
}

BOOST_AUTO_TEST_SUITE_END()
