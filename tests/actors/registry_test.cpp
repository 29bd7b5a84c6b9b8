#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/registry.hpp"
#include "tests/support/actors/fakes.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// Answers a status query only when told to.
decode_actor::behavior_type slow_decode(
    decode_actor::pointer self,
    std::shared_ptr<std::vector<caf::typed_response_promise<node_status>>>
        owed) {
  return {
      [](const handoff_offer&) {},
      [](const kv_chunk&) {},
      [](const kv_commit&) {},
      [](const kv_abort&) {},
      [](const prefill_job&) {},
      [](const cancel_sequence&) {},
      [](const kv_grant&) {},
      [](const kv_credit&) {},
      [](const kv_accepted&) {},
      [](const migrate_sequence&) { return migrated{}; },
      [](const drain_node&) { return drained{}; },
      [](const preempt_sequence&) {},
      [](const step_tick&) {},
      [](const deadline_tick&) {},
      [](const schedule_plan&) {},
      [](const batch_limits&) {},
      [](const watch_load&) {},
      [=](const status_query&) -> caf::result<node_status> {
        owed->push_back(self->make_response_promise<node_status>());
        return owed->back();
      },
  };
}

struct fixture {
  sim_system sim;
  std::shared_ptr<node_log> log = std::make_shared<node_log>();
  registry_actor reg = sim.spawn(registry, registry_options{2s});

  prefill_actor prefill(node_id id) {
    auto p = sim.spawn(fake_prefill, log);
    caf::anon_send(reg, add_prefill{id, p});
    sim.run();
    return p;
  }

  decode_actor decode(node_id id) {
    auto d = sim.spawn(fake_decode, log);
    caf::anon_send(reg, add_decode{id, d});
    sim.run();
    return d;
  }

  std::pair<node_id, node_id>
  place(request_id r, std::vector<node_id> avoid = {}, request_size size = {}) {
    auto p = sim.ask<placement>(reg, place_request{r, std::move(avoid), size});
    return {p.prefill_id, p.decode_id};
  }

  // The node says what it has to do.
  template <class Node>
  void tell(const Node& node, const node_load& load) {
    caf::send_as(node, load_sink{reg}, load);
    sim.run();
  }

  errc refusal(request_id r) {
    return from_caf(sim.ask_error<placement>(reg, place_request{r, {}, {}}))
        .code;
  }

  void release(request_id r) {
    caf::anon_send(reg, release_placement{r});
    sim.run();
  }
};

using ids = std::pair<node_id, node_id>;

} // namespace

BOOST_AUTO_TEST_SUITE(registry_suite)

BOOST_FIXTURE_TEST_CASE(without_nodes_there_is_no_place, fixture) {
  BOOST_TEST((refusal(1) == errc::no_node));
  prefill(1);
  BOOST_TEST((refusal(1) == errc::no_node));
  decode(2);
  BOOST_TEST((place(1) == ids{1, 2}));
}

BOOST_FIXTURE_TEST_CASE(the_least_loaded_node_gets_the_next, fixture) {
  for (node_id n : {3, 1, 2})
    prefill(n);
  for (node_id n : {12, 11})
    decode(n);
  BOOST_TEST((place(1) == ids{1, 11}));
  BOOST_TEST((place(2) == ids{2, 12}));
  BOOST_TEST((place(3) == ids{3, 11}));
  BOOST_TEST((place(4) == ids{1, 12}));
  release(2);
  release(2); // counts once
  BOOST_TEST((place(5) == ids{2, 12}));
  release(99);
  BOOST_TEST((place(6) == ids{2, 11}));
}

// 10 ms a step, 1 ms a token of a prompt, 1 ms a row.
namespace {

node_load idle(double slowness = 1) {
  auto l = node_load{};
  l.blocks = l.free_blocks = 100;
  l.cost = {slowness * 1e7, slowness * 1e6, 1, slowness * 1e6, 1};
  return l;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(prompts_go_where_fewer_tokens_wait, fixture) {
  auto a = prefill(1);
  auto b = prefill(2);
  decode(3);
  auto busy = idle();
  busy.prompt_tokens = 500;
  tell(a, busy);
  tell(b, idle());
  // As many requests at both, but not as much to do.
  BOOST_TEST((place(1, {}, {400, 10}) == ids{2, 3}));
  BOOST_TEST((place(2, {}, {400, 10}) == ids{2, 3}));
  BOOST_TEST((place(3, {}, {400, 10}) == ids{1, 3}));
  tell(a, idle());
  BOOST_TEST((place(4, {}, {400, 10}) == ids{1, 3}));
}

BOOST_FIXTURE_TEST_CASE(a_slow_node_gets_less, fixture) {
  prefill(1);
  auto slow = decode(2);
  auto fast = decode(3);
  tell(slow, idle(3));
  tell(fast, idle());
  auto to_slow = 0;
  for (request_id r = 1; r <= 40; ++r)
    to_slow += place(r, {}, {10, 100}).second == 2;
  BOOST_TEST(to_slow >= 5);
  BOOST_TEST(to_slow <= 14);
}

BOOST_FIXTURE_TEST_CASE(a_full_node_comes_after_one_with_room, fixture) {
  prefill(1);
  auto a = decode(2);
  auto b = decode(3);
  auto full = idle();
  full.free_blocks = 5;
  tell(a, full);
  tell(b, idle(10));
  BOOST_TEST((place(1, {}, {70, 10}) == ids{1, 2}));
  BOOST_TEST((place(2, {}, {70, 10}) == ids{1, 3}));
  // Avoiding one that failed comes first.
  BOOST_TEST((place(3, {3}, {70, 10}) == ids{1, 2}));
}

// Who is not a node of this registry says nothing that counts.
BOOST_FIXTURE_TEST_CASE(strangers_tell_nothing, fixture) {
  prefill(1);
  decode(2);
  decode(3);
  auto stranger = sim.spawn(fake_decode, log);
  auto busy = idle(1000);
  tell(stranger, busy);
  BOOST_TEST((place(1) == ids{1, 2}));
}

BOOST_FIXTURE_TEST_CASE(placing_again_replaces_the_placement, fixture) {
  prefill(1);
  prefill(2);
  decode(3);
  BOOST_TEST((place(1) == ids{1, 3}));
  BOOST_TEST((place(1) == ids{1, 3}));
  BOOST_TEST((place(2) == ids{2, 3}));
}

BOOST_FIXTURE_TEST_CASE(avoided_nodes_are_the_last_resort, fixture) {
  prefill(1);
  prefill(2);
  decode(3);
  BOOST_TEST((place(1, {1, 3}) == ids{2, 3}));
  BOOST_TEST((place(2, {1, 2}) == ids{1, 3}));
}

BOOST_FIXTURE_TEST_CASE(the_dead_are_forgotten, fixture) {
  auto p = prefill(1);
  prefill(2);
  decode(3);
  sim.kill(p);
  sim.run();
  BOOST_TEST((place(1) == ids{2, 3}));
  BOOST_TEST((place(2) == ids{2, 3}));
  release(1);
}

BOOST_FIXTURE_TEST_CASE(a_node_that_joins_again_replaces_itself, fixture) {
  prefill(1);
  auto old = decode(2);
  place(1);
  auto fresh = decode(2);
  auto p = sim.ask<placement>(reg, place_request{2, {}, {}});
  BOOST_TEST((p.decode == fresh));
  // What ran on its former self does not lighten it, nor its death remove it.
  release(1);
  sim.kill(old);
  sim.run();
  decode(3);
  BOOST_TEST((place(3) == ids{1, 3}));
}

BOOST_FIXTURE_TEST_CASE(status_asks_every_node, fixture) {
  prefill(4);
  decode(2);
  auto s = sim.ask<cluster_status>(reg, status_query{});
  BOOST_REQUIRE_EQUAL(s.nodes.size(), 2u);
  BOOST_TEST(s.nodes[0].node == 2u);
  BOOST_TEST(s.nodes[1].node == 4u);
  BOOST_TEST(s.silent.empty());
}

BOOST_FIXTURE_TEST_CASE(a_silent_or_dying_node_does_not_hold_up_the_answer,
                        fixture) {
  prefill(1);
  auto owed =
      std::make_shared<std::vector<caf::typed_response_promise<node_status>>>();
  auto silent = sim.spawn(slow_decode, owed);
  auto dying = sim.spawn(slow_decode, owed);
  caf::anon_send(reg, add_decode{2, silent});
  caf::anon_send(reg, add_decode{3, dying});
  auto self = caf::scoped_actor{sim.sys};
  auto pending = self->request(reg, caf::infinite, status_query{});
  sim.run();
  BOOST_TEST(!self->has_next_message());
  sim.kill(dying);
  sim.run();
  BOOST_TEST(!self->has_next_message());
  sim.advance(2s);
  sim.run();
  pending.receive(
      [&](const cluster_status& s) {
        BOOST_TEST(s.nodes.size() == 1u);
        BOOST_TEST(s.silent == (std::vector<node_id>{3, 2}),
                   boost::test_tools::per_element());
      },
      [&](const caf::error& e) { BOOST_ERROR(sim.sys.render(e)); });
  owed->clear();
}

BOOST_FIXTURE_TEST_CASE(whoever_waits_for_a_dying_registry_is_told, fixture) {
  auto owed =
      std::make_shared<std::vector<caf::typed_response_promise<node_status>>>();
  caf::anon_send(reg, add_decode{2, sim.spawn(slow_decode, owed)});
  auto self = caf::scoped_actor{sim.sys};
  auto pending = self->request(reg, caf::infinite, status_query{});
  sim.run();
  sim.kill(reg);
  sim.run();
  auto answered = false;
  pending.receive([&](const cluster_status&) { answered = true; },
                  [&](const caf::error&) { answered = true; });
  BOOST_TEST(answered);
  owed->clear();
}

BOOST_AUTO_TEST_SUITE_END()
