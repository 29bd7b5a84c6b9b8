#include <boost/test/unit_test.hpp>

#include "actors/error.hpp"
#include "core/base/random.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// Sequences that move or are preempted while they generate: the client must not
// notice, and nothing may stay behind.

namespace {

void move(cluster& c, request_id request, node_id to) {
  caf::anon_send(c.reg, migrate_request{request, to});
}

void preempt(cluster& c, request_id request, preempt_way way) {
  for (auto* nodes : {&c.decodes, &c.mixed})
    for (auto& n : *nodes)
      caf::anon_send(n, preempt_sequence{request, way});
}

const auto shapes = {cluster_options{.decodes = 2},
                     cluster_options{.mixed = 2, .cached_blocks = 8}};

} // namespace

BOOST_AUTO_TEST_SUITE(moves)

BOOST_AUTO_TEST_CASE(a_move_at_any_moment_does_not_show) {
  for (auto o : shapes)
    for (uint32_t n : {3, 4, 5}) {
      // Also with tokens that a node has kept.
      o.gather_within = n == 5 ? 1s : 0s;
      auto r = varied_request(n, 40);
      auto second = node_id{o.mixed > 0 ? 202u : 102u};
      auto arrived = size_t{0};
      at_every_message(
          o, r, [&](cluster& c) { move(c, r.request, second); },
          [&](cluster& c) {
            c.expect_idle();
            c.expect_exact(r);
            arrived += c.status(o.mixed > 0 ? c.mixed[1] : c.decodes[1]).steps;
          });
      BOOST_TEST(arrived > 0u);
    }
}

BOOST_AUTO_TEST_CASE(whoever_asked_hears_of_the_move) {
  auto c = cluster{{.mixed = 2}};
  auto r = varied_request(4, 60);
  c.submit(r);
  c.sim.run(60);
  auto m = c.sim.ask<migrated>(c.gate, migrate_request{r.request, 202});
  BOOST_TEST(m.request == r.request);
  BOOST_TEST(m.tokens > r.prompt.size());
  c.expect_idle();
  c.expect_exact(r);
  BOOST_TEST(c.status(c.mixed[1]).steps > 10u);
  auto gone = from_caf(
      c.sim.ask_error<migrated>(c.gate, migrate_request{r.request, 201}));
  BOOST_TEST((gone.code == errc::unknown_sequence));
}

BOOST_AUTO_TEST_CASE(
    whoever_asks_for_a_move_is_answered_whatever_becomes_of_it) {
  auto r = varied_request(4, 12);
  auto there = 0;
  auto not_there = 0;
  for (auto cancel : {false, true})
    for (size_t k = 0; k < 120; ++k) {
      auto c = cluster{{.mixed = 2}};
      c.submit(r);
      c.sim.run(k);
      auto self = caf::scoped_actor{c.sim.sys};
      auto pending =
          self->request(c.gate, caf::infinite, migrate_request{r.request, 202});
      c.sim.run(k / 2);
      if (cancel)
        c.cancel(r.request);
      c.sim.drain();
      BOOST_REQUIRE(self->has_next_message());
      pending.receive([&](const migrated&) { ++there; },
                      [&](const caf::error&) { ++not_there; });
    }
  BOOST_TEST(there > 10);
  BOOST_TEST(not_there > 10);
}

BOOST_AUTO_TEST_CASE(there_and_back_again) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    auto c = cluster{{.mixed = 3, .cached_blocks = 8, .seed = seed}};
    for (uint32_t n = 0; n < 6; ++n)
      c.submit(varied_request(n, 50));
    for (auto i = 0; i < 60; ++i) {
      c.sim.run(random_bits(seed, i, 2) % 40);
      move(c, 1000 + random_bits(seed, i, 3) % 6,
           static_cast<node_id>(201 + random_bits(seed, i, 4) % 3));
    }
    c.expect_idle();
    for (uint32_t n = 0; n < 6; ++n)
      c.expect_exact(varied_request(n, 50));
  }
}

BOOST_AUTO_TEST_CASE(either_end_may_die_on_the_way) {
  for (auto victim : {0, 1})
    for (auto& o : shapes) {
      auto r = varied_request(4, 40);
      at_every_message(
          o, r,
          [&](cluster& c) {
            c.submit(r);
            c.sim.run(40);
            move(c, r.request, o.mixed > 0 ? 202u : 102u);
          },
          [&](cluster& c) {
            c.sim.kill(o.mixed > 0 ? c.mixed[victim] : c.decodes[victim]);
          },
          [&](cluster& c) {
            c.expect_idle();
            c.expect_exact(r);
          });
    }
}

BOOST_AUTO_TEST_CASE(the_client_may_leave_on_the_way) {
  for (auto& o : shapes) {
    auto r = varied_request(4, 40);
    at_every_message(
        o, r,
        [&](cluster& c) {
          c.submit(r);
          c.sim.run(40);
          move(c, r.request, o.mixed > 0 ? 202u : 102u);
        },
        [&](cluster& c) { c.cancel(r.request); },
        [&](cluster& c) { c.expect_idle(); });
  }
}

BOOST_AUTO_TEST_CASE(a_full_destination_lets_it_stay) {
  auto c = cluster{{.decodes = 2, .decode_blocks = 8}};
  // 102 is full for long.
  auto long_one = varied_request(4, 70);
  c.submit(varied_request(2, 60));
  c.submit(long_one);
  c.sim.run(120);
  move(c, long_one.request, 101);
  c.expect_idle();
  c.expect_exact(long_one);
  c.expect_exact(varied_request(2, 60));
}

// Each waits for the other's memory while it holds its own.
BOOST_AUTO_TEST_CASE(full_nodes_that_move_to_each_other_go_on) {
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (auto store : {0u, 64u}) {
      auto c = cluster{{.mixed = 2,
                        .mixed_blocks = 9,
                        .seed = seed,
                        .store_blocks = store,
                        .preempt = true}};
      for (uint32_t n = 0; n < 8; ++n)
        c.submit(varied_request(n, 60));
      for (auto i = 0; i < 40; ++i) {
        c.sim.run(30);
        for (uint32_t n = 0; n < 8; ++n)
          for (auto from : {0, 1})
            caf::anon_send(c.mixed[from],
                           migrate_sequence{
                               1000 + n, caf::actor_cast<kv_destination_actor>(
                                             c.mixed[1 - from])});
      }
      c.expect_idle();
      for (uint32_t n = 0; n < 8; ++n)
        c.expect_exact(varied_request(n, 60));
    }
}

BOOST_AUTO_TEST_CASE(recomputing_at_any_moment_does_not_show) {
  for (auto& o : shapes)
    for (uint32_t n : {3, 4}) {
      auto r = varied_request(n, 30);
      auto times = uint64_t{0};
      at_every_message(
          o, r,
          [&](cluster& c) { preempt(c, r.request, preempt_way::recompute); },
          [&](cluster& c) {
            c.expect_idle();
            c.expect_exact(r);
            for (auto* nodes : {&c.decodes, &c.mixed})
              for (auto& node : *nodes)
                times += c.status(node).recomputes;
          });
      BOOST_TEST(times > 10u);
    }
}

BOOST_AUTO_TEST_CASE(swapping_at_any_moment_does_not_show) {
  for (auto& shape : shapes)
    for (uint32_t n : {3, 4})
      for (auto file : {0u, 32u}) {
        auto o = shape;
        o.store_blocks = file > 0 ? 8 : 32;
        o.file_blocks = file;
        auto r = varied_request(n, 30);
        auto swaps = uint64_t{0};
        auto recomputes = uint64_t{0};
        at_every_message(
            o, r, [&](cluster& c) { preempt(c, r.request, preempt_way::swap); },
            [&](cluster& c) {
              c.expect_idle();
              c.expect_exact(r);
              for (auto* nodes : {&c.decodes, &c.mixed})
                for (auto& node : *nodes) {
                  swaps += c.status(node).swaps;
                  recomputes += c.status(node).recomputes;
                }
            });
        BOOST_TEST(swaps > 10u);
        BOOST_TEST(recomputes <= 20u);
      }
}

// In steps that the new node makes without the sequence. Here each message has
// a turn as long as a step, so there are some more of them than in real time,
// which bench/migration.cpp measures.
BOOST_AUTO_TEST_CASE(the_pause_of_a_move_does_not_grow_with_the_sequence) {
  auto pauses = std::vector<size_t>{};
  for (auto length : {200u, 800u, 1800u}) {
    auto c = cluster{{.prefill_chunk = 256,
                      .mixed = 2,
                      .mixed_blocks = 512,
                      .weights = demo_model()}};
    auto request = [&](request_id id, uint32_t prompt, uint32_t tokens) {
      auto r = generate_request{};
      r.request = id;
      for (uint32_t i = 0; i < prompt; ++i)
        r.prompt.push_back(
            static_cast<token_id>(10 + random_bits(id, i) % 400));
      r.max_tokens = tokens;
      r.ignore_end = true;
      return r;
    };
    c.submit(request(1, length, 100)); // to 201
    c.submit(request(2, 8, 2000));     // to 202
    c.submit(request(3, 8, 2000));     // to 202, where less waits
    auto tokens = [&](request_id id) { return c.answer(id).tokens.size(); };
    while (tokens(1) < 20 || tokens(3) < 20)
      c.sim.step();
    // Straight to the node: the gateway has a long queue when it has turns with
    // two nodes.
    caf::anon_send(
        c.mixed[0],
        migrate_sequence{1, caf::actor_cast<kv_destination_actor>(c.mixed[1])});
    auto before = tokens(1);
    auto others = tokens(2);
    auto pause = size_t{0};
    while (tokens(1) < 100) {
      c.sim.step();
      if (tokens(1) == before)
        continue;
      // One of these steps is its own.
      pause = std::max(pause, std::max(tokens(2) - others, size_t{1}) - 1);
      before = tokens(1);
      others = tokens(2);
    }
    pauses.push_back(pause);
    c.cancel(2);
    c.cancel(3);
    c.expect_idle();
    BOOST_TEST(c.status(c.mixed[1]).largest_batch == 3u);
  }
  BOOST_TEST_MESSAGE("pauses: " << pauses[0] << ", " << pauses[1] << ", "
                                << pauses[2]);
  auto [least, most] = std::minmax_element(pauses.begin(), pauses.end());
  BOOST_TEST(*most <= *least + 1);
  BOOST_TEST(*most <= 4u);
}

BOOST_AUTO_TEST_CASE(a_full_store_falls_back_to_recompute) {
  auto c = cluster{{.mixed = 1, .store_blocks = 1}};
  auto r = varied_request(4, 60);
  c.submit(r);
  c.sim.run(60);
  preempt(c, r.request, preempt_way::swap);
  c.expect_idle();
  c.expect_exact(r);
  BOOST_TEST(c.status(c.mixed[0]).recomputes == 1u);
  BOOST_TEST(c.status(c.store).refused == 1u);
}

BOOST_AUTO_TEST_CASE(while_swapped_anybody_may_go) {
  for (auto who : {0, 1, 2})
    for (auto& shape : shapes) {
      auto o = shape;
      o.store_blocks = 32;
      auto r = varied_request(4, 40);
      at_every_message(
          o, r,
          [&](cluster& c) {
            c.submit(r);
            c.sim.run(40);
            preempt(c, r.request, preempt_way::swap);
          },
          [&](cluster& c) {
            if (who == 0) {
              c.cancel(r.request);
            } else if (who == 1) {
              c.sim.kill(c.store);
              c.store_lives = false;
            } else {
              c.sim.kill(o.mixed > 0 ? c.mixed[0] : c.decodes[0]);
            }
          },
          [&](cluster& c) {
            c.expect_idle();
            if (who > 0)
              c.expect_exact(r);
          });
    }
}

BOOST_AUTO_TEST_CASE(a_drained_node_loses_nothing) {
  for (uint64_t seed = 0; seed < 10; ++seed)
    for (auto k = 0; k < 200; k += 20)
      for (auto& shape : shapes) {
        auto o = shape;
        o.seed = seed;
        o.store_blocks = seed % 2 == 0 ? 32 : 0;
        o.choose = seed % 3 != 0;
        auto c = cluster{o};
        for (uint32_t n = 0; n < 6; ++n)
          c.submit(varied_request(n, 30));
        c.sim.run(k);
        preempt(c, 1003, preempt_way::swap);
        preempt(c, 1004, preempt_way::swap);
        c.sim.run(k / 4);
        auto first = node_id{o.mixed > 0 ? 201u : 101u};
        auto d = c.sim.ask<drained>(c.gate, drain_request{first, {}});
        BOOST_TEST(d.node == first);
        BOOST_TEST(d.moved + d.replaced <= 6u);
        expect_empty(c.status(o.mixed > 0 ? c.mixed[0] : c.decodes[0]));
        c.submit(varied_request(6, 30));
        c.expect_idle();
        for (uint32_t n = 0; n < 7; ++n)
          c.expect_exact(varied_request(n, 30));
      }
}

BOOST_AUTO_TEST_CASE(what_lies_in_the_store_goes_to_a_peer_with_its_kv) {
  for (auto& shape : shapes)
    for (auto k = 0; k < 40; ++k) {
      auto o = shape;
      o.store_blocks = 32;
      auto c = cluster{o};
      // Others hold the blocks that it needs to come back.
      for (uint32_t n = 3; n < 6; ++n)
        c.submit(varied_request(n, 60));
      c.sim.run(160);
      preempt(c, 1004, preempt_way::swap);
      c.sim.run(k);
      auto first = node_id{o.mixed > 0 ? 201u : 101u};
      auto d = c.sim.ask<drained>(c.gate, drain_request{first, {}});
      BOOST_TEST(d.replaced == 0u);
      c.expect_idle();
      for (uint32_t n = 3; n < 6; ++n)
        c.expect_exact(varied_request(n, 60));
      auto computed = c.status(o.mixed > 0 ? c.mixed[0] : c.decodes[0]);
      BOOST_TEST(computed.recomputes == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_drained_prefill_node_finishes_what_it_has) {
  for (auto k = 0; k < 120; k += 3) {
    auto c = cluster{{.prefills = 2, .decodes = 2}};
    for (uint32_t n = 0; n < 4; ++n)
      c.submit(varied_request(n, 20));
    c.sim.run(k);
    auto d = c.sim.ask<drained>(c.gate, drain_request{1, {}});
    BOOST_TEST(d.node == 1u);
    expect_empty(c.status(c.prefills[0]));
    auto steps = c.status(c.prefills[0]).steps;
    for (uint32_t n = 4; n < 7; ++n)
      c.submit(varied_request(n, 20));
    c.expect_idle();
    BOOST_TEST(c.status(c.prefills[0]).steps == steps);
    for (uint32_t n = 0; n < 7; ++n)
      c.expect_exact(varied_request(n, 20));
  }
}

BOOST_AUTO_TEST_CASE(without_a_prefill_node_decode_nodes_prefill) {
  auto c = cluster{{.decodes = 2}};
  c.sim.kill(c.prefills[0]);
  c.sim.run();
  auto r = varied_request(4, 20);
  c.submit(r);
  c.expect_idle();
  c.expect_exact(r);
}

BOOST_AUTO_TEST_SUITE_END()
