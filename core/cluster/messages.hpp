#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/kv/layout.hpp"
#include "core/serving/latency_predictor.hpp"

namespace troupe {

// What a node and the registry of its cluster say to each other. The node
// numbers what it sends, from 1 in each of its lives; whatever is not newer
// than what the registry has of that life changes nothing.

/// What the messages below, and those between nodes, mean.
inline constexpr uint32_t cluster_protocol_version = 1;

/// One stay of a node in a cluster, from its join until it leaves or is fenced.
/// Never given twice. The upper half is the registry's life.
using membership_epoch = uint64_t;

enum class member_role : uint8_t { prefill, decode, mixed, store };

/// What a node is busy with, for whoever places sequences.
struct node_load {
  /// Sequences that decode.
  uint32_t running_rows = 0;
  /// Tokens that they attend to, summed.
  uint64_t decode_context = 0;
  /// Tokens of prompts that are still to be computed.
  uint64_t waiting_prompt = 0;
  uint32_t free_blocks = 0;
  /// Blocks of the pool.
  uint32_t capacity = 0;
  step_cost cost;
  auto fields() {
    return std::tie(running_rows, decode_context, waiting_prompt, free_blocks,
                    capacity, cost.base, cost.prefill_token,
                    cost.prefill_context, cost.row, cost.decode_context);
  }
};

/// Node -> registry: may I join? Sent again until it is answered.
struct join_request {
  uint32_t version = cluster_protocol_version;
  /// Unique in the cluster: who joins under it again replaces who was there.
  std::string name;
  member_role role = member_role::prefill;
  /// Random; another one for every attempt to become a member.
  uint64_t incarnation = 0;
  uint64_t number = 0;
  /// As model::digest has it.
  std::string model;
  kv_layout layout;
  /// Of the processor: "x86_64".
  std::string isa;
  uint32_t threads = 0;
  /// KV blocks of the node's pool.
  uint32_t blocks = 0;
  auto fields() {
    return std::tie(version, name, role, incarnation, number, model,
                    layout.layers, layout.kv_heads, layout.k_dim, layout.v_dim,
                    layout.dtype, isa, threads, blocks);
  }
};

/// Registry -> node: you are `node` in `epoch`, or why not.
struct join_reply {
  /// Of the request that this answers.
  uint64_t incarnation = 0;
  uint64_t number = 0;
  node_id node = 0;
  membership_epoch epoch = 0;
  int64_t interval_ns = 0; ///< between two heartbeats
  int64_t timeout_ns = 0;  ///< of silence, either way, until the epoch is over
  errc code = errc::none;  ///< none: accepted
  std::string reason;
  auto fields() {
    return std::tie(incarnation, number, node, epoch, interval_ns, timeout_ns,
                    code, reason);
  }
};

/// Node -> registry: I am alive, and this busy.
struct heartbeat {
  node_id node = 0;
  membership_epoch epoch = 0;
  uint64_t number = 0;
  /// I want to leave: no new work, please.
  bool draining = false;
  node_load load;
  auto fields() { return std::tie(node, epoch, number, draining, load); }
};

/// Registry -> node: heartbeat `number` was heard.
struct heartbeat_ack {
  membership_epoch epoch = 0;
  uint64_t number = 0;
  /// Take no new work, move what you have elsewhere, and leave.
  bool drain = false;
  auto fields() { return std::tie(epoch, number, drain); }
};

/// Node -> registry: I have nothing left and go. Sent again until it is
/// answered.
struct leave {
  node_id node = 0;
  membership_epoch epoch = 0;
  auto fields() { return std::tie(node, epoch); }
};

/// Registry -> node: `epoch` is over, or was never mine. The answer to a leave,
/// and to everything of a node that does not know it yet: it has to drop its
/// sequences and join again.
struct epoch_over {
  membership_epoch epoch = 0;
  std::string reason;
  auto fields() { return std::tie(epoch, reason); }
};

/// What a node wants sent to the registry, in order.
using member_message = std::variant<join_request, heartbeat, leave>;
using member_outbox = std::vector<member_message>;

/// What the registry answers; nothing, to what is old.
using registry_message =
    std::variant<std::monostate, join_reply, heartbeat_ack, epoch_over>;

} // namespace troupe
