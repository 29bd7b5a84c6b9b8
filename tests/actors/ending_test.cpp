#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/batch_controller.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(ending)

// A system that waits for its actors ends its network next.
BOOST_AUTO_TEST_CASE(an_actor_counts_until_all_who_watch_it_know_of_its_end) {
  auto sim = sim_system{};
  auto& registry = sim.sys.registry();
  auto before = registry.running();
  auto actor = sim.spawn(batch_control, batch_controller_options{});
  sim.run();
  auto while_told = size_t{0};
  caf::actor_cast<caf::abstract_actor*>(actor)->attach_functor(
      [&](const caf::error&) { while_told = registry.running(); });
  BOOST_TEST(registry.running() == before + 1);
  caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  sim.run();
  BOOST_TEST(while_told == before + 1);
  BOOST_TEST(registry.running() == before);
}

BOOST_AUTO_TEST_SUITE_END()
