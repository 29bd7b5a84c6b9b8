#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>
#include <caf/scheduler/coordinator.hpp>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "runtime/actors.hpp"
#include "runtime/quiet_workers.hpp"

using namespace troupe;

namespace {

struct config_of : caf::actor_system_config {
  explicit config_of(size_t workers) {
    use_quiet_clock(*this);
    set("scheduler.max-threads", workers);
  }
};

struct place {
  explicit place(size_t workers) : config(workers) {}

  quiet_workers::coordinator_data& workers() {
    using coordinator = caf::scheduler::coordinator<quiet_workers>;
    return dynamic_cast<coordinator&>(system.scheduler()).data();
  }

  // Until all of them sleep, and none of them for a while only.
  void rest() {
    while (workers().busy > 0 || workers().watched)
      std::this_thread::yield();
  }

  config_of config;
  caf::actor_system system{config};
};

// Passes a number on, one less each time, and tells when it is 0.
caf::behavior runner(caf::event_based_actor* self, std::atomic<int>* arrived) {
  return {
      [=](int left, const std::vector<caf::actor>& all) {
        if (left == 0)
          ++*arrived;
        else
          self->send(all[static_cast<size_t>(left) % all.size()], left - 1,
                     all);
      },
  };
}

} // namespace

BOOST_AUTO_TEST_SUITE(quiet_workers)

// That what was sent at the wrong moment is lost would show as a test that does
// not end.
BOOST_AUTO_TEST_CASE(whatever_is_sent_arrives) {
  for (auto workers : {1u, 2u, 4u}) {
    auto p = place{workers};
    auto arrived = std::atomic<int>{0};
    auto all = std::vector<caf::actor>{};
    for (auto i = 0; i < 8; ++i)
      all.push_back(p.system.spawn(runner, &arrived));
    constexpr auto rounds = 300;
    auto send = [&](int hops) {
      for (auto round = 1; round <= rounds; ++round) {
        caf::anon_send(all[static_cast<size_t>(round) % all.size()], hops, all);
        // Now and then all fall asleep in between.
        if (round % 3 == 0)
          while (arrived < round)
            std::this_thread::yield();
      }
    };
    auto other = std::thread{send, 7};
    send(20);
    other.join();
    while (arrived < 2 * rounds)
      std::this_thread::yield();
    for (auto& a : all)
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
    BOOST_TEST(arrived == 2 * rounds);
  }
}

// As those of CAF do it, too.
BOOST_AUTO_TEST_CASE(what_a_worker_does_not_get_to_another_does) {
  auto p = place{2};
  for (auto i = 0; i < 50; ++i) {
    auto done = std::promise<void>{};
    auto helper = p.system.spawn([&]() -> caf::behavior {
      return {[&](caf::ok_atom) { done.set_value(); }};
    });
    auto waits = p.system.spawn([&](caf::event_based_actor* self) {
      self->send(helper, caf::ok_atom::value);
      done.get_future().wait(); // on the worker whose queue that is in
    });
    caf::scoped_actor {
      p.system
      } -> wait_for(waits);
    caf::anon_send_exit(helper, caf::exit_reason::user_shutdown);
  }
}

BOOST_AUTO_TEST_CASE(none_gets_up_while_there_is_nothing_to_do) {
  auto p = place{4};
  auto arrived = std::atomic<int>{0};
  auto one = p.system.spawn(runner, &arrived);
  for (auto i = 1; i <= 20; ++i) {
    p.rest();
    auto before = p.workers().wakes.load();
    caf::anon_send(one, 0, std::vector<caf::actor>{one});
    while (arrived < i)
      std::this_thread::yield();
    p.rest();
    // Who does it, and who watches meanwhile.
    BOOST_TEST(p.workers().wakes - before <= 2u);
  }
  caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
}

BOOST_AUTO_TEST_SUITE_END()
