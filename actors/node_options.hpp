#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "actors/protocol/interfaces.hpp"
#include "core/base/ids.hpp"
#include "core/base/time.hpp"
#include "core/engine/engine.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/handoff.hpp"
#include "core/model/model.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/step_plan.hpp"

namespace troupe {

class node_ranks;

/// What a prefill or decode node is made of.
struct node_options {
  node_id id = 0;
  std::shared_ptr<const model> weights;
  /// Shared by the nodes of one process, so that KV moves by reference.
  std::shared_ptr<block_arena> arena;
  /// KV blocks that this node may hold.
  uint32_t blocks = 0;
  /// Of these, blocks kept for prompts that begin alike; they make way when
  /// blocks are needed.
  uint32_t cached_blocks = 0;
  unsigned threads = 1;
  /// Tokens of one prefill step; rounded down to whole blocks, at least one.
  uint32_t prefill_chunk = 256;
  /// KV that a prefill step writes before it pauses between two layers, hands
  /// that over, and looks at its messages, in bytes; one layer at least.
  size_t push_bytes = size_t{256} << 10;
  /// Sequences of one decode step.
  uint32_t max_batch = 64;
  /// How long a token may be kept so that it leaves together with those of the
  /// steps that follow; 0: each leaves with its step. First and last tokens
  /// never wait.
  duration gather_within{};
  node_role role = node_role::mixed;
  /// Keeps steps within these latencies, as far as can be: a batch controller
  /// chooses how many sequences decode at a time, and how much of prompts is
  /// computed beside them. Without it a step takes all that it can hold.
  std::optional<batch_slo> slo;
  /// Lets sequences start before all blocks that they may need are free, and
  /// takes them away again where memory runs short: a preempt scheduler
  /// decides. Otherwise they come in one after the other, and stay.
  bool preempt = false;
  /// Where preempted sequences keep their KV; null: it is computed again.
  kv_store_actor store;
  /// The same for all nodes that a sequence may come to.
  activation_type activations = activation_type::i16;
  handoff_timing timing;
  /// The ranks that compute the node's steps with it, for this life of the
  /// node; null: it computes alone.
  std::shared_ptr<node_ranks> ranks;
};

/// What a step of a node with these options may hold.
inline step_limits limits_of(const node_options& o) {
  auto l = step_limits{};
  l.rows = std::max(1u, o.max_batch);
  l.tokens = o.prefill_chunk;
  l.tokens_beside_rows = o.prefill_chunk;
  // Whole blocks: what one chunk filled, others may share.
  l.granularity = kv_block_tokens;
  return l;
}

} // namespace troupe
