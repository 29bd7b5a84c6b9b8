#include "actors/thread_lender.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/add_message_types.hpp"
#include "actors/protocol/interfaces.hpp"
#include "tests/support/core/comes.hpp"

using namespace troupe;

// Not under the thread sanitizer: messages pass from thread to thread through
// CAF's mailboxes, and that library is not instrumented.
#ifndef __SANITIZE_THREAD__

namespace {

// Where each message was handled.
struct places {
  void add() {
    auto guard = std::lock_guard{mutex};
    threads.push_back(std::this_thread::get_id());
  }
  void clear() {
    auto guard = std::lock_guard{mutex};
    threads.clear();
  }
  size_t here() {
    auto guard = std::lock_guard{mutex};
    return static_cast<size_t>(
        std::count(threads.begin(), threads.end(), std::this_thread::get_id()));
  }
  size_t count() {
    auto guard = std::lock_guard{mutex};
    return threads.size();
  }

  std::mutex mutex;
  std::vector<std::thread::id> threads;
};

struct node_state {
  static constexpr const char* name = "node";
  static constexpr bool runs_on_lent_threads = true;
  node_state() = default;
};

struct host_state {
  static constexpr const char* name = "host";
  static constexpr bool calls_host = true;
  host_state() = default;
};

struct pooled_state {
  static constexpr const char* name = "pooled";
  pooled_state() = default;
};

using on_step = std::function<void(uint32_t index)>;

// Goes on by itself until `index` is 0, as a node that generates.
template <class State>
client_actor::behavior_type stepping(actor_pointer<client_actor, State> self,
                                     std::shared_ptr<places> seen,
                                     on_step then) {
  return {
      [=](const token_event& m) {
        seen->add();
        if (then)
          then(m.index);
        if (m.index == 0)
          return;
        auto next = token_event{};
        next.index = m.index - 1;
        self->send(self, std::move(next));
      },
      [=](const finish_event&) { self->quit(); },
  };
}

struct config : caf::actor_system_config {
  config() { troupe::add_message_types(*this); }
};

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  std::shared_ptr<thread_lender> lender = std::make_shared<thread_lender>(sys);
  std::shared_ptr<void> request = lender->begin();
  std::shared_ptr<places> seen = std::make_shared<places>();
  std::vector<client_actor> actors;

  ~fixture() {
    lender->close();
    for (auto& a : actors)
      caf::anon_send(a, finish_event{});
  }

  template <class State, caf::spawn_options Os = caf::no_spawn_options>
  client_actor spawn(on_step then = {}) {
    actors.push_back(sys.spawn<Os>(stepping<State>, seen, std::move(then)));
    return actors.back();
  }

  // One that has run for the first time, on its own thread.
  client_actor node(on_step then = {}) {
    auto warm = std::make_shared<std::atomic<bool>>(false);
    auto a = spawn<node_state, caf::detached>([=](uint32_t left) {
      if (warm->load() && then)
        then(left);
    });
    caf::anon_send(a, token_event{});
    BOOST_REQUIRE(testing::comes([&] { return seen->count() == 1; }));
    // Its mailbox is blocked soon after.
    BOOST_REQUIRE(testing::comes([&] {
      return caf::actor_cast<caf::scheduled_actor*>(a)->mailbox().blocked();
    }));
    seen->clear();
    *warm = true;
    return a;
  }

  static void steps(const client_actor& to, uint32_t count) {
    auto m = token_event{};
    m.index = count - 1;
    caf::anon_send(to, std::move(m));
  }

  static bool never() { return false; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(lent_threads, fixture)

BOOST_AUTO_TEST_CASE(a_node_runs_where_its_request_waits) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 100); }, never);
  BOOST_TEST(seen->here() == 100);
}

BOOST_AUTO_TEST_CASE(one_message_at_a_time_until_what_is_waited_for) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 100); }, [&] { return seen->count() >= 3; });
  BOOST_TEST(seen->here() == 3);
  // Nobody else has it meanwhile, if that is not for long.
  t.run([&] { return seen->count() >= 5; });
  BOOST_TEST(seen->count() >= 5);
}

BOOST_AUTO_TEST_CASE(who_does_not_come_back_gives_it_back) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 100); }, [&] { return seen->count() >= 3; });
  BOOST_TEST(testing::comes([&] { return seen->count() == 100; }));
  BOOST_TEST(seen->here() == 3);
  t.run(never);
  BOOST_TEST(seen->here() == 3);
}

BOOST_AUTO_TEST_CASE(and_who_goes_away) {
  auto a = node();
  {
    auto t = lent_thread{lender};
    t.run([&] { steps(a, 100); }, [&] { return seen->count() >= 3; });
  }
  BOOST_TEST(testing::comes([&] { return seen->count() == 100; }));
}

BOOST_AUTO_TEST_CASE(little_is_left_to_others_at_the_end) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 8); }, [&] { return seen->count() >= 3; });
  t.end();
  BOOST_TEST(seen->here() == 8);
}

BOOST_AUTO_TEST_CASE(but_much_is) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 1000); }, [&] { return seen->count() >= 3; });
  t.end();
  BOOST_TEST(testing::comes([&] { return seen->count() == 1000; }));
  BOOST_TEST(seen->here() < 1000);
}

// Two requests share a node's steps, which would be late for one of them.
BOOST_AUTO_TEST_CASE(another_request_takes_it_away) {
  auto other = std::shared_ptr<void>{};
  auto a = node([&](uint32_t left) {
    if (left == 90)
      other = lender->begin();
  });
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 100); }, never);
  BOOST_TEST(testing::comes([&] { return seen->count() == 100; }));
  BOOST_TEST(seen->here() == 10);
  // The next is not alone, either.
  auto next = lent_thread{lender};
  next.run([&] { steps(a, 5); }, never);
  BOOST_TEST(testing::comes([&] { return seen->count() == 105; }));
  BOOST_TEST(seen->here() == 10);
}

BOOST_AUTO_TEST_CASE(also_where_it_waits_for_its_caller) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 100); }, [&] { return seen->count() >= 3; });
  auto other = lender->begin();
  BOOST_TEST(testing::comes([&] { return seen->count() == 100; }));
  BOOST_TEST(seen->here() == 3);
}

BOOST_AUTO_TEST_CASE(once_it_is_alone_the_next_is_lent_again) {
  auto a = node();
  lender->begin();
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 7); }, never);
  BOOST_TEST(seen->here() == 7);
}

BOOST_AUTO_TEST_CASE(a_closed_lender_waits_for_who_runs_and_lends_no_more) {
  auto closing = std::thread{};
  auto a = node([&](uint32_t left) {
    if (left == 50)
      closing = std::thread{[&] { lender->close(); }};
  });
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 1'000'000); }, never);
  closing.join();
  auto n = seen->here();
  caf::anon_send(a, finish_event{}); // a million is a lot
  t.run([&] { steps(a, 5); }, never);
  BOOST_TEST(seen->here() == n);
}

BOOST_AUTO_TEST_CASE(what_a_beginning_left_that_failed_is_done_elsewhere) {
  auto pooled = spawn<pooled_state>();
  BOOST_REQUIRE(testing::comes([&] {
    return caf::actor_cast<caf::scheduled_actor*>(pooled)->mailbox().blocked();
  }));
  auto t = lent_thread{lender};
  auto fails = [&] {
    pooled->enqueue(nullptr, caf::make_message_id(),
                    caf::make_message(token_event{}), lender.get());
    throw std::bad_alloc{};
  };
  BOOST_CHECK_THROW(t.run(fails, never), std::bad_alloc);
  BOOST_TEST(testing::comes([&] { return seen->count() == 1; }));
  BOOST_TEST(seen->here() == 0);
}

BOOST_AUTO_TEST_CASE(a_node_may_end_there) {
  auto a = node();
  auto t = lent_thread{lender};
  t.run(
      [&] {
        caf::anon_send(a, finish_event{});
        steps(a, 3);
      },
      never);
  auto self = caf::scoped_actor{sys};
  self->wait_for(a);
  BOOST_TEST(seen->count() == 0);
}

BOOST_AUTO_TEST_CASE(who_asks_a_node_that_has_ended_hears_of_it) {
  auto a = node();
  auto self = caf::scoped_actor{sys};
  caf::anon_send(a, finish_event{});
  self->wait_for(a);
  auto t = lent_thread{lender};
  auto failed = false;
  t.run(
      [&] {
        self->request(a, caf::infinite, token_event{})
            .receive([] {}, [&](const caf::error&) { failed = true; });
      },
      never);
  BOOST_TEST(failed);
}

BOOST_AUTO_TEST_CASE(
    what_the_pool_would_run_runs_here_but_nothing_of_the_host) {
  auto host = spawn<host_state>();
  auto pooled = spawn<pooled_state>();
  for (auto& a : {host, pooled})
    BOOST_REQUIRE(testing::comes([&] {
      return caf::actor_cast<caf::scheduled_actor*>(a)->mailbox().blocked();
    }));
  // As a session sends to its client.
  auto a = node([&](uint32_t) {
    for (auto& to : {pooled, host})
      to->enqueue(nullptr, caf::make_message_id(),
                  caf::make_message(token_event{}), lender.get());
  });
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 1); }, never);
  BOOST_TEST(testing::comes([&] { return seen->count() == 3; }));
  BOOST_TEST(seen->here() == 2);
}

// As with a host that saves time on denormals, or rounds down for its own ends.
BOOST_AUTO_TEST_CASE(a_host_that_rounds_otherwise_changes_nothing) {
  auto third = [] {
    volatile auto one = 1.f;
    volatile auto three = 3.f;
    return one / three;
  };
  auto nearest = third();
  auto there = 0.f;
  auto a = node([&](uint32_t) { there = third(); });
  auto t = lent_thread{lender};
  BOOST_REQUIRE(std::fesetround(FE_DOWNWARD) == 0);
  t.run([&] { steps(a, 1); }, never);
  auto after = third();
  std::fesetround(FE_TONEAREST);
  BOOST_TEST(there == nearest);
  BOOST_TEST(after < nearest);
  BOOST_TEST(seen->here() == 1);
}

BOOST_AUTO_TEST_CASE(a_thread_with_a_small_stack_is_not_lent) {
  auto a = node();
  auto work = std::function<void()>{[&] {
    auto t = lent_thread{lender};
    t.run([&] { steps(a, 4); }, never);
    BOOST_TEST(testing::comes([&] { return seen->count() == 4; }));
    BOOST_TEST(seen->here() == 0);
  }};
  auto attributes = pthread_attr_t{};
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, size_t{200} << 10);
  auto thread = pthread_t{};
  auto begin = [](void* f) -> void* {
    (*static_cast<std::function<void()>*>(f))();
    return nullptr;
  };
  BOOST_REQUIRE(::pthread_create(&thread, &attributes, begin, &work) == 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
}

BOOST_AUTO_TEST_CASE(nothing_is_lent_by_a_thread_that_runs_actors) {
  auto inner = size_t{99};
  auto b = node();
  auto a = node([&](uint32_t left) {
    if (left != 0)
      return;
    auto before = seen->here();
    auto t = lent_thread{lender};
    t.run([&] { steps(b, 3); }, never);
    inner = seen->here() - before;
  });
  auto t = lent_thread{lender};
  t.run([&] { steps(a, 2); }, never);
  BOOST_TEST(inner == 0);
}

BOOST_AUTO_TEST_SUITE_END()

#else

BOOST_AUTO_TEST_SUITE(lent_threads)

BOOST_AUTO_TEST_CASE(not_under_the_thread_sanitizer) {
  BOOST_TEST_MESSAGE("skipped, see above");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
