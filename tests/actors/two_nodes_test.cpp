#include <boost/test/unit_test.hpp>

#include "actors/decode_node.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "tests/support/actors/cluster.hpp"
#include "tests/support/actors/sim_pair.hpp"

using namespace troupe;
using namespace troupe::testing;

// Gateway and registry here, some nodes on another machine: every message
// between them is serialised.

namespace {

struct fixture {
  sim_pair world;
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  client_actor client = world.near.spawn(fake_client, heard);
  registry_actor reg =
      world.near.spawn(registry, registry_options{std::chrono::seconds{2}});
  registry_actor reg_from_far = world.join(reg);
  gateway_actor gate;

  fixture() {
    auto g = gateway_options{};
    g.registry = reg;
    g.vocab = shared_tiny_model()->params.vocab;
    g.context = shared_tiny_model()->params.context;
    gate = world.near.spawn(gateway, g);
  }

  prefill_actor prefill(sim_system& where, node_id id) {
    auto p = where.spawn(
        prefill_node, tiny_node(id, tiny_arena(), 64, {.cached_blocks = 16}));
    if (&where == &world.near)
      caf::anon_send(reg, add_prefill{id, p});
    else
      caf::anon_send(reg_from_far, add_prefill{id, p});
    world.run();
    return p;
  }

  decode_actor decode(sim_system& where, node_id id) {
    auto d = where.spawn(decode_node, tiny_node(id, tiny_arena(), 64, {}));
    if (&where == &world.near)
      caf::anon_send(reg, add_decode{id, d});
    else
      caf::anon_send(reg_from_far, add_decode{id, d});
    world.run();
    return d;
  }

  void start(generate_request r) {
    caf::anon_send(gate, submit{std::move(r), client});
  }

  void expect_exact(const generate_request& r) {
    auto& e = heard->end(r.request);
    BOOST_REQUIRE_MESSAGE(e.reason == finish_reason::length,
                          to_string(e.code) << ": " << e.message);
    BOOST_TEST(heard->answers[r.request].tokens == plain_answer(r),
               boost::test_tools::per_element());
  }

  template <class Handle>
  void expect_empty_at(sim_system& where, const Handle& node) {
    expect_empty(where.ask<node_status>(node, status_query{}));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(two_nodes)

BOOST_FIXTURE_TEST_CASE(a_sequence_moves_to_another_machine, fixture) {
  auto p = prefill(world.near, 1);
  auto d = decode(world.far, 2);
  for (uint32_t n = 0; n < 6; ++n)
    start(varied_request(n));
  world.drain();
  for (uint32_t n = 0; n < 6; ++n)
    expect_exact(varied_request(n));
  expect_empty_at(world.near, p);
  expect_empty_at(world.far, d);
  BOOST_TEST(world.far.ask<node_status>(d, status_query{}).steps > 0u);
}

BOOST_FIXTURE_TEST_CASE(so_do_blocks_that_were_kept, fixture) {
  auto p = prefill(world.near, 1);
  auto d = decode(world.far, 2);
  auto r = varied_request(1);
  r.prompt.resize(50, 7);
  for (request_id id : {5001, 5002, 5003}) {
    r.request = id;
    start(r);
    world.drain();
    expect_exact(r);
    BOOST_TEST(heard->end(id).cached_tokens == (id == 5001 ? 0u : 48u));
  }
  expect_empty_at(world.near, p);
  expect_empty_at(world.far, d);
}

BOOST_FIXTURE_TEST_CASE(and_from_there_back, fixture) {
  auto p = prefill(world.far, 1);
  auto d = decode(world.near, 2);
  start(varied_request(1));
  start(varied_request(2));
  world.drain();
  expect_exact(varied_request(1));
  expect_exact(varied_request(2));
  expect_empty_at(world.far, p);
  expect_empty_at(world.near, d);
}

BOOST_FIXTURE_TEST_CASE(both_nodes_far_away, fixture) {
  auto p = prefill(world.far, 1);
  auto d = decode(world.far, 2);
  start(varied_request(3));
  world.drain();
  expect_exact(varied_request(3));
  expect_empty_at(world.far, p);
  expect_empty_at(world.far, d);
}

BOOST_FIXTURE_TEST_CASE(cancel_reaches_the_other_machine, fixture) {
  auto p = prefill(world.near, 1);
  auto d = decode(world.far, 2);
  auto r = varied_request(1, 100);
  start(r);
  for (auto i = 0; heard->answers[r.request].tokens.size() < 10; ++i) {
    BOOST_REQUIRE_LT(i, 100'000);
    world.step();
  }
  caf::anon_send(gate, cancel_request{r.request});
  world.drain();
  BOOST_TEST((heard->end(r.request).reason == finish_reason::cancelled));
  expect_empty_at(world.near, p);
  expect_empty_at(world.far, d);
}

BOOST_AUTO_TEST_CASE(a_cut_connection_is_a_death_and_the_answer_goes_on) {
  auto r = varied_request(1, 8);
  auto cuts = 0;
  for (size_t k = 5; k < 200; k += 9) {
    BOOST_TEST_CONTEXT("cut after " << k) {
      auto f = fixture{};
      auto far = f.decode(f.world.far, 2);
      auto near = f.decode(f.world.near, 3);
      auto p = f.prefill(f.world.near, 1);
      f.start(r);
      f.world.run(k);
      f.world.cut();
      f.world.drain();
      f.expect_exact(r);
      cuts += f.world.near.ask<node_status>(near, status_query{}).steps > 0;
      f.expect_empty_at(f.world.near, near);
      f.expect_empty_at(f.world.near, p);
      f.expect_empty_at(f.world.far, far);
    }
  }
  BOOST_TEST(cuts > 3);
}

// The vectors' bits as well.
BOOST_FIXTURE_TEST_CASE(texts_are_embedded_on_another_machine, fixture) {
  auto p = prefill(world.far, 1);
  auto log = std::make_shared<embed_log>();
  auto asks = world.near.spawn(fake_embed_client, log);
  auto r = varied_embed_request(4, 20);
  caf::anon_send(gate, submit_embed{r, asks});
  world.drain();
  BOOST_TEST((log->end(r.request).reason == finish_reason::stop));
  for (uint32_t i = 0; i < 20; ++i)
    BOOST_TEST(
        (log->answers[r.request].vectors[i] == plain_vector(r.inputs[i])));
  expect_empty_at(world.far, p);
  // One that is cut off is placed again, or ends.
  r.request = 1;
  caf::anon_send(gate, submit_embed{r, asks});
  world.run(30);
  world.cut();
  world.drain();
  auto code = log->end(1).code;
  BOOST_TEST((code == errc::no_node || code == errc::abandoned));
}

BOOST_AUTO_TEST_SUITE_END()
