#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <thread>
#include <vector>

#include "runtime/actors.hpp"
#include "runtime/quiet_clock.hpp"

using namespace troupe;

namespace {

using namespace std::chrono_literals;

/// A time that stands still between two calls of the test.
struct set_clock : quiet_clock {
  time_point at = time_point{1h};
  time_point now() const noexcept override { return at; }
};

struct host_config : caf::actor_system_config {
  host_config() { use_quiet_clock(*this); }
};

struct fixture {
  host_config config;
  caf::actor_system system{config};
  set_clock clock;
  caf::scoped_actor self{system};

  void schedule(std::chrono::seconds in, int what) {
    clock.schedule_message(
        clock.at + in, caf::actor_cast<caf::strong_actor_ptr>(self),
        caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, what));
  }

  std::vector<int> shipped() {
    auto all = std::vector<int>{};
    while (self->has_next_message())
      self->receive([&](int n) { all.push_back(n); },
                    [&](const caf::timeout_msg&) { all.push_back(-1); });
    return all;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(quiet_clock, fixture)

BOOST_AUTO_TEST_CASE(what_is_due_is_shipped_in_its_order) {
  schedule(3s, 3);
  schedule(1s, 1);
  schedule(2s, 2);
  BOOST_TEST((clock.ship_due() == clock.at + 1s));
  BOOST_TEST(shipped().empty());
  auto start = clock.at;
  clock.at = start + 2s;
  BOOST_TEST((clock.ship_due() == start + 3s));
  BOOST_TEST(shipped() == (std::vector{1, 2}),
             boost::test_tools::per_element{});
  clock.at = start + 1h;
  BOOST_TEST(!clock.ship_due());
  BOOST_TEST(shipped() == (std::vector{3}), boost::test_tools::per_element{});
}

BOOST_AUTO_TEST_CASE(only_what_is_due_earlier_wakes_whoever_waits) {
  BOOST_TEST(!clock.ship_due()); // waits for anything
  schedule(5s, 5);
  BOOST_TEST(clock.wakes() == 1u);
  schedule(4s, 4); // it has not looked yet
  schedule(6s, 6);
  BOOST_TEST(clock.wakes() == 2u);
  clock.ship_due();
  schedule(9s, 9);
  clock.cancel_timeouts(self.ptr());
  clock.set_request_timeout(clock.at + 10s, self.ptr(),
                            caf::make_message_id(7));
  clock.cancel_request_timeout(self.ptr(), caf::make_message_id(7));
  BOOST_TEST(clock.wakes() == 2u);
  schedule(3s, 3);
  BOOST_TEST(clock.wakes() == 3u);
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_does_not_come) {
  auto type = caf::atom("test");
  clock.set_ordinary_timeout(clock.at + 1s, self.ptr(), type, 1);
  clock.set_ordinary_timeout(clock.at + 2s, self.ptr(), type, 2); // instead
  clock.at += 1s;
  clock.ship_due();
  BOOST_TEST(shipped().empty());
  clock.at += 1s;
  clock.ship_due();
  BOOST_TEST(shipped() == (std::vector{-1}), boost::test_tools::per_element{});
  clock.set_multi_timeout(clock.at + 1s, self.ptr(), type, 3);
  clock.set_ordinary_timeout(clock.at + 1s, self.ptr(), type, 4);
  schedule(1s, 1);
  clock.cancel_timeouts(self.ptr()); // messages are no timeouts
  clock.at += 1s;
  clock.ship_due();
  BOOST_TEST(shipped() == (std::vector{1}), boost::test_tools::per_element{});
  schedule(1s, 1);
  clock.cancel_all();
  clock.at += 1s;
  BOOST_TEST(!clock.ship_due());
  BOOST_TEST(shipped().empty());
}

// It asks the clock to forget it while the clock drops what kept it alive.
BOOST_AUTO_TEST_CASE(an_actor_may_end_with_its_last_message) {
  auto idle = [](caf::event_based_actor*) { return caf::behavior{[](int) {}}; };
  for (auto ends : {0, 1}) {
    auto a = caf::actor_cast<caf::strong_actor_ptr>(
        system.spawn<caf::lazy_init>(idle));
    auto watch = caf::actor_cast<caf::weak_actor_ptr>(a);
    clock.schedule_message(
        clock.at + 1s, std::move(a),
        caf::make_mailbox_element(
            nullptr, caf::make_message_id(), {},
            caf::exit_msg{{}, caf::exit_reason::user_shutdown}));
    if (ends == 0)
      clock.cancel_all();
    else
      clock.stop();
    BOOST_TEST(!watch.lock());
  }
}

BOOST_AUTO_TEST_CASE(its_thread_ships_and_stops) {
  auto live = troupe::quiet_clock{};
  auto thread = std::thread{[&] { live.run(); }};
  for (auto in : {20ms, 10ms, 0ms})
    live.schedule_message(
        live.now() + in, caf::actor_cast<caf::strong_actor_ptr>(self),
        caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, 1));
  auto left = 3;
  while (left > 0)
    self->receive([&](int n) { left -= n; });
  live.schedule_message(
      live.now() + 1h, caf::actor_cast<caf::strong_actor_ptr>(self),
      caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, 1));
  live.stop();
  thread.join();
  BOOST_TEST(!live.ship_due());
}

// A request that nobody answers, through a whole system.
BOOST_AUTO_TEST_CASE(a_system_has_it) {
  auto silent = system.spawn([](caf::event_based_actor* a) {
    a->set_default_handler(caf::skip);
    return caf::behavior{[](double) {}};
  });
  auto timed_out = false;
  self->request(silent, 10ms, 1)
      .receive(
          [](int) {},
          [&](caf::error& e) { timed_out = e == caf::sec::request_timeout; });
  BOOST_TEST(timed_out);
  caf::anon_send_exit(silent, caf::exit_reason::user_shutdown);
  BOOST_TEST(dynamic_cast<troupe::quiet_clock*>(&system.clock()) != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
