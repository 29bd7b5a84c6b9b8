#pragma once

#include <boost/test/unit_test.hpp>

#include "actors/prefill_node.hpp"
#include "tests/support/actors/cluster.hpp"

namespace troupe::testing {

/// A prefill node whose destination and stream are the test.
struct prefill_fixture {
  sim_system sim;
  std::shared_ptr<node_log> told = std::make_shared<node_log>();
  decode_actor decode = sim.spawn(fake_decode, told);
  std::shared_ptr<std::vector<sequence_output>> outputs =
      std::make_shared<std::vector<sequence_output>>();
  stream_actor stream = sim.spawn(fake_stream, outputs);
  prefill_actor node;

  explicit prefill_fixture(size_t push_bytes = 1)
      : node(
          sim.spawn(prefill_node, tiny_node(1, tiny_arena(), 8,
                                            {.prefill_chunk = 20, // 16, really
                                             .push_bytes = push_bytes}))) {}

  prefill_job job(seq_id seq = 1, size_t prompt = 40, epoch_t epoch = 1) {
    auto j = prefill_job{};
    j.spec.request = 70 + seq;
    j.spec.seq = seq;
    j.spec.epoch = epoch;
    j.spec.prompt = std::vector<token_id>(prompt, 7);
    j.spec.max_tokens = 6;
    j.decode = caf::actor_cast<kv_destination_actor>(decode);
    j.stream = stream;
    return j;
  }

  /// Needs no decode node.
  prefill_job embed_job(seq_id seq, size_t prompt) {
    auto j = job(seq, prompt);
    for (size_t i = 0; i < prompt; ++i)
      j.spec.prompt[i] = static_cast<token_id>(3 + (i * 7) % 290);
    j.spec.max_tokens = 0;
    j.spec.embed = true;
    j.decode = nullptr;
    return j;
  }

  template <class M>
  void send(M m) {
    caf::send_as(decode, node, std::move(m));
    sim.run();
  }

  node_status status() { return sim.ask<node_status>(node, status_query{}); }

  std::vector<kv_message> answers() { return std::exchange(told->others, {}); }

  /// Grants and credits until the commit.
  kv_commit take_over(seq_id seq, epoch_t epoch = 1) {
    send(kv_grant{seq, epoch, 4});
    for (auto i = 0; i < 100; ++i)
      for (auto& m : answers()) {
        if (auto* c = std::get_if<kv_chunk>(&m))
          send(kv_credit{seq, epoch, c->index});
        else if (auto* commit = std::get_if<kv_commit>(&m))
          return *commit;
      }
    BOOST_FAIL("no commit");
    return {};
  }
};

} // namespace troupe::testing
