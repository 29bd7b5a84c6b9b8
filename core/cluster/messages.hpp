#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/kv/layout.hpp"
#include "core/serving/node_load.hpp"
#include "core/serving/node_role.hpp"

namespace troupe {

// What a node and the registry of its cluster say to each other. The node
// numbers what it sends, from 1 in each of its lives; whatever is not newer
// than what the registry has of that life changes nothing.

/// What the messages below, and those between nodes, mean.
inline constexpr uint32_t cluster_protocol_version = 4;

/// One stay of a node in a cluster, from its join until it leaves or is fenced.
/// Never given twice, and greater in each life of the registry.
using membership_epoch = uint64_t;

/// Node -> registry: may I join? Sent again until it is answered.
struct join_request {
  uint32_t version = cluster_protocol_version;
  /// Unique in the cluster: who joins under it again replaces who was there.
  std::string name;
  node_role role = node_role::prefill;
  /// Random; another one for every attempt to become a member.
  uint64_t incarnation = 0;
  uint64_t number = 0;
  /// Who has the name now, as `name_taken` told; 0: nobody. Only a node that
  /// knows whom it replaces does so, hence a join that was long under way does
  /// not fence the life that came after it.
  membership_epoch replaces = 0;
  /// As model::digest has it.
  std::string model;
  kv_layout layout;
  /// Of the processor: "x86_64".
  std::string isa;
  uint32_t threads = 0;
  /// KV blocks of the node's pool.
  uint32_t blocks = 0;
  auto fields() {
    return std::tie(version, name, role, incarnation, number, replaces, model,
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

/// Registry -> node: your name is that of the node in `epoch`. Ask again,
/// saying that you replace it.
struct name_taken {
  /// Of the request that this answers.
  uint64_t incarnation = 0;
  uint64_t number = 0;
  membership_epoch epoch = 0;
  auto fields() { return std::tie(incarnation, number, epoch); }
};

/// Node -> registry: I am alive, and this busy.
struct heartbeat {
  node_id node = 0;
  membership_epoch epoch = 0;
  uint64_t number = 0;
  /// I take no new work, and leave when I have nothing left: of my own, or
  /// because of a drain_order, which this acknowledges.
  bool draining = false;
  node_load load;
  auto fields() { return std::tie(node, epoch, number, draining, load); }
};

/// Registry -> node: heartbeat `number` was heard.
struct heartbeat_ack {
  membership_epoch epoch = 0;
  uint64_t number = 0;
  auto fields() { return std::tie(epoch, number); }
};

/// Registry -> node: take no new work, move what you have elsewhere, and leave.
/// Sent again until heartbeats say that it drains.
struct drain_order {
  membership_epoch epoch = 0;
  auto fields() { return std::tie(epoch); }
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

/// Where a process takes connections of others.
struct node_address {
  std::string host;
  uint16_t port = 0; ///< 0: it takes none
  auto fields() { return std::tie(host, port); }
};

/// To a node that joins: whom it should be connected to before it is ready, so
/// that KV goes there and nowhere else.
struct node_peers {
  membership_epoch epoch = 0;
  std::vector<node_address> peers;
  auto fields() { return std::tie(epoch, peers); }
};

/// To a node that is being drained: no sequence is left on it.
struct node_emptied {
  membership_epoch epoch = 0;
  auto fields() { return std::tie(epoch); }
};

/// What a node sends to the registry.
using member_message = std::variant<join_request, heartbeat, leave>;

/// What the registry sends to a node.
using registry_message = std::variant<join_reply, name_taken, heartbeat_ack,
                                      drain_order, epoch_over>;

} // namespace troupe
