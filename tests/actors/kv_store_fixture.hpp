#pragma once

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/kv_store.hpp"
#include "actors/send_handoff.hpp"
#include "core/base/random.hpp"
#include "tests/core/kv/store_fixture.hpp"
#include "tests/support/actors/cluster.hpp"

namespace troupe::testing {

// -- a node that swaps out and resumes, but does not compute ------------------

using peer_actor = kv_destination_actor::extend<caf::reacts_to<kv_grant>,
                                                caf::reacts_to<kv_credit>,
                                                caf::reacts_to<kv_accepted>>;

struct peer_script {
  explicit peer_script(std::shared_ptr<block_arena> arena)
      : pool(std::move(arena), 64) {}

  block_pool pool;
  // Swapping out.
  page_table table;
  std::optional<kv_sender> sender;
  // Resuming.
  std::optional<kv_receiver> receiver;
  handoff_offer offer;
  page_table resumed;
  std::vector<kv_abort> aborts;
  // What it does with what it gets.
  std::optional<errc> refuse; ///< offers
  bool deaf_to_offers = false;
  bool deaf_to_commits = false;

  void take() {
    if (receiver->accepted() && resumed.blocks() == 0)
      resumed = receiver->take_table();
  }
};

inline peer_actor::behavior_type peer(peer_actor::pointer self,
                                      std::shared_ptr<peer_script> s) {
  auto to_store = [=](const kv_outbox& box) {
    auto to = caf::actor_cast<kv_destination_actor>(self->current_sender());
    for (auto m : box)
      send_to_destination(self, to, m, {}, {});
  };
  auto to_source = [=](const kv_outbox& box) {
    auto to = caf::actor_cast<kv_source_actor>(self->current_sender());
    for (auto m : box)
      send_to_source(self, to, m);
    s->take();
  };
  return {
      [=](const handoff_offer& m) {
        if (s->deaf_to_offers)
          return;
        s->offer = m;
        if (s->refuse) {
          self->send(m.source, kv_abort{m.offer.seq, m.offer.epoch, *s->refuse,
                                        "as the test wants it"});
          return;
        }
        auto box = kv_outbox{};
        auto opts = kv_receiver::options{shared_tiny_model()->digest, 1, {}};
        auto r = kv_receiver::open(m.offer, s->pool, opts, {}, box);
        BOOST_REQUIRE(r.ok());
        s->receiver.emplace(std::move(*r));
        to_source(box);
      },
      [=](const kv_chunk& m) {
        auto box = kv_outbox{};
        s->receiver->on(m, {}, box);
        to_source(box);
      },
      [=](const kv_commit& m) {
        auto box = kv_outbox{};
        if (!s->deaf_to_commits)
          s->receiver->on(m, {}, box);
        to_source(box);
      },
      [=](const kv_abort& m) {
        s->aborts.push_back(m);
        if (s->sender)
          s->sender->on(m);
        if (s->receiver)
          s->receiver->on(m);
      },
      [=](const kv_grant& m) {
        auto box = kv_outbox{};
        s->sender->on(m, {}, box);
        to_store(box);
      },
      [=](const kv_credit& m) {
        auto box = kv_outbox{};
        s->sender->on(m, {}, box);
        to_store(box);
      },
      [=](const kv_accepted& m) {
        s->sender->on(m);
        if (s->sender->done())
          s->table.clear();
      },
  };
}

// -- the store between two of them --------------------------------------------

inline constexpr auto prompt_tokens = uint32_t{40};
inline constexpr auto seq_blocks =
    uint32_t{3}; // of a sequence with its answer so far

inline const auto first_life = next_move(next_placement(0));

inline void paint(page_table& t, uint64_t seed) {
  for (uint32_t i = 0; i < t.blocks(); ++i)
    for (size_t n = 0; n < t.lease(i).layout().block_bytes(); ++n)
      t.block(i)[n] = static_cast<std::byte>(random_bits(seed, i) >> n % 57);
}

/// Two nodes of one system, and a store that may be in another.
struct swapping_peers {
  sim_system& sim;
  std::function<void()> run;
  std::shared_ptr<block_arena> arena = tiny_arena();
  std::shared_ptr<peer_script> at_home = std::make_shared<peer_script>(arena);
  std::shared_ptr<peer_script> away = std::make_shared<peer_script>(arena);
  peer_actor home;
  peer_actor other;
  stream_actor stream;
  kv_store_actor store;

  swapping_peers(sim_system& s, std::function<void()> r)
      : sim(s), run(std::move(r)), home(sim.spawn(peer, at_home)),
        other(sim.spawn(peer, away)),
        stream(sim.spawn(fake_stream,
                         std::make_shared<std::vector<sequence_output>>())) {}

  handoff_offer offer(seq_id seq, epoch_t epoch = first_life) {
    auto o = handoff_offer{};
    o.spec.request = 70 + seq;
    o.spec.seq = seq;
    o.spec.epoch = epoch;
    o.spec.prompt = std::vector<token_id>(prompt_tokens, 7);
    o.spec.emitted = {1, 2, 3};
    o.spec.max_tokens = 20;
    o.offer.seq = seq;
    o.offer.epoch = epoch;
    o.offer.model = shared_tiny_model()->digest;
    o.offer.layout = at_home->pool.layout();
    o.offer.blocks = seq_blocks;
    o.offer.max_blocks = kv_layout::blocks_for(o.spec.max_length());
    o.source = caf::actor_cast<kv_source_actor>(home);
    o.stream = stream;
    return o;
  }

  // `home` begins to swap out, all that it holds by way of `o`; nothing has run
  // yet.
  void begin(handoff_offer o, uint32_t tokens, std::vector<token_id> emitted) {
    auto& s = *at_home;
    s.table.clear();
    BOOST_REQUIRE(s.table.grow(s.pool, seq_blocks * kv_block_tokens));
    paint(s.table, o.spec.seq);
    auto box = kv_outbox{};
    s.sender.emplace(o.offer, handoff_timing{});
    s.sender->push(s.table, 0, seq_blocks, 0, s.pool.layout().layers, {}, box);
    s.sender->finish(tokens, std::move(emitted), {}, box);
    BOOST_REQUIRE(box.empty());
    caf::send_as(home, store, std::move(o));
  }

  void offer_to_store(seq_id seq, epoch_t epoch = first_life) {
    begin(offer(seq, epoch), prompt_tokens + 2, {1, 2, 3});
  }

  void swap_out(seq_id seq, epoch_t epoch = first_life) {
    offer_to_store(seq, epoch);
    run();
    BOOST_REQUIRE(at_home->sender->done());
    BOOST_REQUIRE_EQUAL(at_home->pool.in_use(), 0u);
  }

  void ask_for(seq_id seq, const peer_actor& to, epoch_t epoch = first_life) {
    auto m = fetch_sequence{};
    m.seq = seq;
    m.epoch = epoch;
    m.to = caf::actor_cast<kv_destination_actor>(to);
    caf::send_as(to, store, std::move(m));
  }

  // `other` resumes it, and has what was swapped out.
  void resume(seq_id seq, epoch_t epoch = first_life) {
    BOOST_TEST_CONTEXT("sequence " << seq) {
      forget_away();
      ask_for(seq, other, epoch);
      run();
      expect_resumed(seq);
    }
  }

  void expect_resumed(seq_id seq) {
    auto& s = *away;
    BOOST_REQUIRE(s.receiver);
    BOOST_REQUIRE(s.receiver->accepted());
    auto elsewhere = block_pool{arena, seq_blocks};
    auto expected = page_table{};
    expected.grow(elsewhere, seq_blocks * kv_block_tokens);
    paint(expected, seq);
    BOOST_TEST(s.resumed.length() == prompt_tokens + 2);
    for (uint32_t i = 0; i < seq_blocks; ++i)
      BOOST_TEST(std::memcmp(s.resumed.block(i), expected.block(i),
                             elsewhere.layout().block_bytes())
                 == 0);
    auto emitted = std::vector<token_id>{1, 2, 3};
    BOOST_TEST(s.receiver->committed().emitted == emitted);
    BOOST_TEST(s.offer.spec.emitted == emitted);
    BOOST_TEST(s.offer.spec.seq == seq);
    BOOST_TEST(s.offer.spec.epoch == s.offer.offer.epoch);
    BOOST_TEST((s.offer.stream == stream));
    BOOST_TEST(s.offer.offer.max_blocks == 4u);
  }

  size_t block_bytes() const { return at_home->pool.layout().block_bytes(); }

  void forget_away() {
    away->receiver.reset();
    away->resumed.clear();
  }

  errc refusal() {
    BOOST_REQUIRE_EQUAL(at_home->aborts.size(), 1u);
    return std::exchange(at_home->aborts, {})[0].code;
  }

  errc no_resume() {
    BOOST_REQUIRE_EQUAL(away->aborts.size(), 1u);
    return std::exchange(away->aborts, {})[0].code;
  }
};

struct store_sizes {
  uint32_t blocks = 16;
  uint32_t file_blocks = 0;
};

inline kv_store_options store_options(std::shared_ptr<block_arena> arena,
                                      std::shared_ptr<fake_file> disk,
                                      store_sizes sizes) {
  auto o = kv_store_options{};
  o.id = 9;
  o.weights = shared_tiny_model();
  o.arena = std::move(arena);
  o.blocks = sizes.blocks;
  if (sizes.file_blocks > 0)
    o.file = std::move(disk);
  o.file_blocks = sizes.file_blocks;
  return o;
}

struct sim_holder {
  sim_system system;
};

/// All in one process.
struct kv_store_fixture : sim_holder, swapping_peers {
  std::shared_ptr<fake_file> disk = std::make_shared<fake_file>();

  explicit kv_store_fixture(store_sizes sizes = {})
      : swapping_peers(system, [this] { system.run(); }) {
    store = sim.spawn(kv_store, store_options(arena, disk, sizes));
  }

  node_status status() { return sim.ask<node_status>(store, status_query{}); }
  void expect_nothing_stored() { expect_empty(status()); }
};

struct with_file : kv_store_fixture {
  with_file() : kv_store_fixture({4, 8}) {}
};

} // namespace troupe::testing
