#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "actors/gateway.hpp"
#include "actors/node_options.hpp"
#include "tests/support/actors/fakes.hpp"
#include "tests/support/actors/sim_system.hpp"

namespace troupe::testing {

struct cluster_options {
  uint32_t prefills = 1;
  uint32_t decodes = 1;
  uint32_t prefill_blocks = 64;
  uint32_t decode_blocks = 64;
  uint32_t prefill_chunk = 16;
  size_t push_bytes = 1; ///< every layer on its own
  uint32_t max_batch = 8;
  unsigned threads = 1;
  /// Nodes that prefill and decode; without them, `prefills` and `decodes`.
  uint32_t mixed = 0;
  uint32_t mixed_blocks = 64;
  uint32_t cached_blocks = 0;
  uint64_t seed = 0; ///< of the interleaving, see sim_system
  /// Of a KV store; 0: there is none.
  uint32_t store_blocks = 0;
  /// Blocks in its file.
  uint32_t file_blocks = 0;
  bool preempt = false;
  uint32_t max_placements = 4;
  /// Sessions choose their nodes themselves, as in a runtime; else they ask the
  /// registry.
  bool choose = true;
  /// The gateway knows what tokens say.
  bool text = false;
  /// Of nodes that decode.
  duration gather_within{};
  /// Null: the tiny model.
  std::shared_ptr<const model> weights = nullptr;
};

/// The tiny model, loaded once.
std::shared_ptr<const model> shared_tiny_model();

/// The bundled model, loaded once.
std::shared_ptr<const model> demo_model();

/// A node over an arena; `id` 0 leaves everything else at its default.
node_options tiny_node(node_id id, std::shared_ptr<block_arena> arena,
                       uint32_t blocks, const cluster_options& o);

std::shared_ptr<block_arena> tiny_arena();

/// A request whose prompt and answer vary with `n`; some are greedy, some
/// sampled, some with penalties.
generate_request varied_request(uint32_t n, uint32_t max_tokens = 12);

/// What a plain loop over engine and sampler answers.
std::vector<token_id> plain_answer(const generate_request& r);

/// Inputs that vary with `n`, of 1 to 70 tokens.
embed_request varied_embed_request(uint32_t n, uint32_t inputs = 3);

/// The mean state of a text, from a plain loop over one engine.
std::vector<float> plain_state(const std::vector<token_id>& ids);

/// The same as a vector of length 1.
std::vector<float> plain_vector(const std::vector<token_id>& ids,
                                uint32_t dimensions = 0);

/// Everything of one process on the tiny model, in a simulated system.
class cluster {
public:
  explicit cluster(cluster_options o = {});

  sim_system sim;
  registry_actor reg;
  gateway_actor gate;
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  client_actor client;
  std::shared_ptr<embed_log> embedded = std::make_shared<embed_log>();
  embed_client_actor embed_client;     ///< null before the first such request
  std::vector<prefill_actor> prefills; ///< nodes 1, 2, …
  std::vector<decode_actor> decodes;   ///< nodes 101, 102, …
  std::vector<decode_actor> mixed;     ///< nodes 201, 202, …
  kv_store_actor store;
  bool store_lives = true;

  /// Kills a decode or mixed node; another one takes its number and its place.
  void replace(node_id id);

  /// Hands a request in, without running.
  void submit(generate_request r);
  void submit(embed_request r);
  void cancel(request_id id);

  /// Drains, then checks that no node still has blocks, sequences or waiting
  /// offers, and that no session lives.
  void expect_idle(std::chrono::milliseconds limit = std::chrono::minutes{1});

  const client_log::answer& answer(request_id id) { return heard->answers[id]; }

  /// The request ended by itself with the tokens of `plain_answer`.
  void expect_exact(const generate_request& r);
  /// The same, with the vectors of `plain_vector`.
  void expect_exact(const embed_request& r);

  node_status status(const status_actor& a) {
    return sim.ask<node_status>(a, status_query{});
  }

private:
  decode_actor spawn_decode(node_id id);

  cluster_options options_;
  std::shared_ptr<block_arena> arena_;
  size_t at_rest_ = 0; ///< actors alive without requests
};

/// Runs `r` on a cluster, interrupts after k messages, for every k until the
/// answer is there before. Returns how many k there were. `prepare` comes
/// first and is not interrupted.
template <class Prepare, class Interrupt, class Verify>
size_t at_every_message(const cluster_options& o, const generate_request& r,
                        Prepare prepare, Interrupt interrupt, Verify verify) {
  for (size_t k = 0;; ++k) {
    BOOST_TEST_CONTEXT("interrupted after message " << k << ", seed "
                                                    << o.seed) {
      auto c = cluster{o};
      prepare(c);
      c.submit(r);
      auto ran = c.sim.run(k);
      auto over = ran < k;
      interrupt(c);
      verify(c);
      if (over)
        return k;
    }
  }
}

template <class Interrupt, class Verify>
size_t at_every_message(const cluster_options& o, const generate_request& r,
                        Interrupt interrupt, Verify verify) {
  return at_every_message(
      o, r, [](cluster&) {}, interrupt, verify);
}

/// Fails unless the node has nothing left.
void expect_empty(const node_status& s);

} // namespace troupe::testing
