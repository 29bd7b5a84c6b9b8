#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/peers.hpp"
#include "actors/watched.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// The argument is for CAF, which dereferences a null pointer where there is
// none.
caf::behavior idler(caf::event_based_actor*, int) {
  return {[](int) {}};
}

struct fixture {
  sim_system sim;
  caf::actor a = sim.spawn(idler, 0);
  caf::actor b = sim.spawn(idler, 0);
  peers waiting;
  std::vector<error> failures;

  peers::on_failure note() {
    return [this](const error& e) { failures.push_back(e); };
  }
};

// Watches the same peer many times; counts what it hears of its death.
caf::behavior watcher(caf::event_based_actor* self, caf::actor peer,
                      std::shared_ptr<int> heard) {
  auto all = std::make_shared<watched>();
  for (auto i = 0; i < 5; ++i)
    all->add(self, peer);
  all->add(self, caf::actor{});
  BOOST_TEST(all->size() == 1u);
  self->set_down_handler([=](const caf::down_msg& m) {
    ++*heard;
    all->down(m.source);
    BOOST_TEST(all->size() == 0u);
  });
  return {[](int) {}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(peers_suite)

BOOST_FIXTURE_TEST_CASE(a_death_fails_what_was_awaited_of_that_peer, fixture) {
  waiting.expect(a, note());
  waiting.expect(a, note());
  waiting.expect(b, note());
  waiting.down(a.address());
  BOOST_TEST(failures.size() == 2u);
  BOOST_TEST((failures[0].code == errc::abandoned));
  BOOST_TEST(!waiting.idle());
  waiting.down(b.address());
  BOOST_TEST(failures.size() == 3u);
  BOOST_TEST(waiting.idle());
}

BOOST_FIXTURE_TEST_CASE(whichever_is_first_settles, fixture) {
  auto ticket = waiting.expect(a, note());
  BOOST_TEST(waiting.settle(a, ticket));
  BOOST_TEST(!waiting.settle(a, ticket));
  waiting.down(a.address());
  BOOST_TEST(failures.empty());
  auto late = waiting.expect(b, note());
  waiting.down(b.address());
  BOOST_TEST(!waiting.settle(b, late));
  BOOST_TEST(failures.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_failure_may_await_again, fixture) {
  waiting.expect(a, [this](const error&) { waiting.expect(a, note()); });
  waiting.down(a.address());
  BOOST_TEST(failures.empty());
  BOOST_TEST(!waiting.idle());
  waiting.down(a.address());
  BOOST_TEST(failures.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_peer_is_monitored_once, fixture) {
  auto heard = std::make_shared<int>(0);
  sim.spawn(watcher, a, heard);
  sim.run();
  sim.kill(a);
  sim.run();
  BOOST_TEST(*heard == 1);
}

BOOST_AUTO_TEST_SUITE_END()
