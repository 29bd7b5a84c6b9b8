#include "actors/batch_controller.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <algorithm>

#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// A node that only keeps account of its limits.
using node_actor = batch_limits_sink::extend<caf::reacts_to<step_tick>>;

struct node_account {
  batch_limits limits;
  uint32_t told = 0;
  duration took = {};
};

// Of 20 rows, reports a full step a tick: 5 ms, 0.1 ms a prompt token, 0.4 ms a
// row.
node_actor::behavior_type busy_node(node_actor::pointer self,
                                    batch_controller_actor controller,
                                    std::shared_ptr<node_account> account) {
  return {
      [=](const batch_limits& m) {
        account->limits = m;
        ++account->told;
      },
      [=](const step_tick&) {
        auto& l = account->limits;
        auto r = step_report{};
        auto rows = std::min(l.rows, 20u);
        r.shape = {l.prefill_tokens, l.prefill_tokens * uint64_t{100}, rows,
                   rows * uint64_t{200}};
        account->took = 5ms + l.prefill_tokens * 100us + rows * 400us;
        r.took = account->took.count();
        r.demand = {20, 4000, 1000, 0ms, 100};
        self->send(controller, r);
      },
  };
}

struct fixture {
  sim_system sim;
  batch_controller_actor controller;
  std::shared_ptr<node_account> account = std::make_shared<node_account>();

  fixture() {
    auto o = batch_controller_options{};
    o.slo = {1s, 50ms};
    o.most = {64, 512};
    controller = sim.spawn(batch_control, o);
  }

  node_actor spawn_node() { return sim.spawn(busy_node, controller, account); }

  void run(const node_actor& node, int steps) {
    for (; steps > 0; --steps) {
      caf::anon_send(node, step_tick{});
      sim.run();
    }
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(batch_controller_actor_suite)

BOOST_FIXTURE_TEST_CASE(a_node_is_told_its_limits, fixture) {
  auto node = spawn_node();
  run(node, 300);
  BOOST_TEST(account->limits.prefill_tokens > 200u);
  BOOST_TEST((account->took <= 50ms));
  BOOST_TEST((account->took > 30ms));
}

BOOST_FIXTURE_TEST_CASE(it_is_told_of_changes_alone, fixture) {
  auto node = spawn_node();
  run(node, 1);
  BOOST_TEST(account->told == 1u); // it may not know where they begin
  run(node, 1000);
  BOOST_TEST(account->told > 5u);
  BOOST_TEST(account->told < 60u);
}

BOOST_FIXTURE_TEST_CASE(another_node_is_told_whatever_the_last_one_knew,
                        fixture) {
  run(spawn_node(), 1000);
  auto known = account->limits;
  account->told = 0;
  auto next = spawn_node();
  run(next, 1);
  BOOST_TEST(account->told == 1u);
  BOOST_TEST((account->limits == known));
}

BOOST_FIXTURE_TEST_CASE(reports_without_a_sender_or_of_the_dead_do_no_harm,
                        fixture) {
  auto node = spawn_node();
  run(node, 5);
  caf::anon_send(node, step_tick{});
  sim.step(); // the report is under way
  sim.kill(node);
  sim.run();
  caf::anon_send(controller, step_report{{16, 100, 4, 400}, 10'000'000, {}});
  caf::anon_send(controller, step_report{{}, -1, {}});
  sim.run();
  auto told = account->told;
  run(spawn_node(), 1);
  BOOST_TEST(account->told == told + 1);
}

BOOST_AUTO_TEST_SUITE_END()
