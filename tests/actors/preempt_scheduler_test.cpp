#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/preempt_scheduler.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr auto second = int64_t{1'000'000'000};

using plans = std::vector<schedule_plan>;

schedule_sink::behavior_type sink(schedule_sink::pointer,
                                  std::shared_ptr<plans> log) {
  return {
      [log](const schedule_plan& p) { log->push_back(p); },
  };
}

// A node as far as its scheduler sees it.
struct fixture {
  sim_system sim;
  std::shared_ptr<plans> log = std::make_shared<plans>();
  schedule_sink node = sim.spawn(sink, log);
  preempt_scheduler_actor scheduler =
      sim.spawn(preempt_scheduler, node, schedule_policy{});
  schedule_view view;

  fixture() {
    view.now_ns = 100 * second;
    view.capacity = 100;
    view.free_blocks = 100;
    view.max_rows = 8;
    view.block_bytes = 1 << 20;
    view.store = true;
  }

  schedule_entry& add(seq_id seq, uint32_t prompt) {
    auto e = schedule_entry{};
    e.seq = seq;
    e.arrival_ns = view.now_ns;
    e.prompt = prompt;
    e.max_tokens = 1000;
    e.tokens_to_compute = prompt;
    e.blocks_to_start = 10;
    return view.entries.emplace_back(e);
  }

  void send() {
    ++view.number;
    caf::anon_send(scheduler, view);
    view.finished.clear();
  }

  const schedule_plan& ask() {
    send();
    sim.run();
    BOOST_REQUIRE(!log->empty());
    return log->back();
  }
};

using list = std::vector<seq_id>;

} // namespace

BOOST_AUTO_TEST_SUITE(preempt_scheduler_actor_suite)

BOOST_FIXTURE_TEST_CASE(a_view_is_answered_by_a_plan, fixture) {
  BOOST_TEST(ask().order.empty());
  add(1, 150);
  BOOST_TEST(ask().order == (list{1}));
  BOOST_TEST(log->size() == 2u);
  BOOST_TEST(log->back().number == 2u);
}

BOOST_FIXTURE_TEST_CASE(of_views_that_wait_only_the_newest_counts, fixture) {
  add(1, 150);
  for (auto i = 0; i < 50; ++i)
    send();
  view.entries.clear();
  add(2, 150);
  BOOST_TEST(ask().order == (list{2}));
  BOOST_TEST(log->size() == 1u);
  BOOST_TEST(log->back().number == 51u);
  // One that was overtaken on the way.
  view.number = 9;
  send();
  sim.run();
  BOOST_TEST(log->size() == 1u);
  view.number = 60;
  BOOST_TEST(ask().number == 61u);
}

BOOST_FIXTURE_TEST_CASE(it_learns_how_long_answers_are, fixture) {
  add(1, 150);
  add(2, 151);
  BOOST_TEST(ask().order == (list{1, 2}));
  view.entries[1].prompt = 20; // as short ones were
  for (auto i = 0; i < 100; ++i) {
    view.finished.push_back({20, 5});
    view.finished.push_back({150, 500});
  }
  // In a view that is not answered, too.
  send();
  BOOST_TEST(ask().order == (list{2, 1}));
}

BOOST_FIXTURE_TEST_CASE(it_learns_what_copies_cost, fixture) {
  auto& r = add(1, 1600);
  r.phase = schedule_phase::running;
  r.blocks = 100;
  r.blocks_to_start = 0;
  r.generated = 10;
  view.free_blocks = 0;
  ask();
  view.now_ns += 2 * second; // it has been there for a while
  add(2, 10).max_tokens = 2;
  BOOST_TEST_REQUIRE(ask().preempt.size() == 1u);
  BOOST_TEST((log->back().preempt[0].way == preempt_way::swap));
  view.swapped_bytes = uint64_t{1} << 30;
  view.swap_ns = 100 * second;
  BOOST_TEST_REQUIRE(ask().preempt.size() == 1u);
  BOOST_TEST((log->back().preempt[0].way == preempt_way::recompute));
}

BOOST_FIXTURE_TEST_CASE(it_knows_who_just_came_in, fixture) {
  auto& r = add(1, 1600);
  r.blocks_to_start = 100;
  ask();
  view.entries[0].phase = schedule_phase::running;
  view.entries[0].blocks = 100;
  view.entries[0].blocks_to_start = 0;
  view.free_blocks = 0;
  ask();
  add(2, 10).max_tokens = 2;
  BOOST_TEST(ask().preempt.empty());
  view.now_ns += 2 * second;
  BOOST_TEST(ask().preempt.size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(it_ends_with_its_node, fixture) {
  ask();
  BOOST_TEST(sim.alive() == 2u);
  sim.kill(node);
  sim.run();
  BOOST_TEST(sim.alive() == 0u);
  send(); // to nobody
  sim.run();
  BOOST_TEST(log->size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
