#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/cluster/messages.hpp"
#include "core/kv/layout.hpp"
#include "core/parallel/rank_kind.hpp"
#include "core/serving/node_role.hpp"

namespace troupe {

// Nodes and ranks of other processes.

/// Drain, then leave the cluster.
struct leave_cluster {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// What a process that takes nodes is asked to start (hosted_nodes). Model and
/// precision are those that it was set up with.
struct node_order {
  node_role role = node_role::mixed;
  std::string name;     ///< unique in the cluster; not empty
  node_address join;    ///< the cluster's front
  uint32_t threads = 0; ///< 0: as it was set up
  uint32_t blocks = 0;  ///< of KV; 0: as many as it holds by default
  auto fields() { return std::tie(role, name, join, threads, blocks); }
};

/// Answered when the node may be given work.
struct await_node {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// The node's number in the cluster.
struct node_joined {
  node_id node = 0;
  auto fields() { return std::tie(node); }
};

/// Connect to the registry at this address, if it takes that long.
struct dial_registry {
  node_address at;
  auto fields() { return std::tie(at); }
};

/// Connect to the process at this address.
struct dial_peer {
  node_address at;
  auto fields() { return std::tie(at); }
};

/// It is connected.
struct peer_reached {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// Rank 0 -> another process: you are this rank.
struct rank_seat {
  uint32_t rank = 0;
  uint32_t ranks = 0;
  rank_kind kind = rank_kind::tensor;
  /// Tokens of a step at most.
  uint32_t max_tokens = 0;
  kv_dtype kv = kv_dtype::f16;
  /// A sign of life comes once an interval, and is answered; without one for
  /// the timeout the other side is gone.
  int64_t interval_ns = 0;
  int64_t timeout_ns = 0;
  auto fields() {
    return std::tie(rank, ranks, kind, max_tokens, kv, interval_ns, timeout_ns);
  }
};

/// Rank 0 -> another process: a group begins; the one before is over.
struct rank_renew {
  uint64_t group = 0;
  auto fields() { return std::tie(group); }
};

/// Another process -> rank 0: this rank does not go on.
struct rank_lost {
  uint64_t group = 0;
  uint32_t rank = 0;
  std::string reason;
  auto fields() { return std::tie(group, rank, reason); }
};

/// Another process -> rank 0: so many bytes of KV have come.
struct rank_taken {
  uint64_t group = 0;
  uint32_t rank = 0;
  uint64_t bytes = 0;
  auto fields() { return std::tie(group, rank, bytes); }
};

/// A sign of life of a rank, or of rank 0 to it.
struct rank_alive {
  uint32_t rank = 0;
  auto fields() { return std::tie(rank); }
};

} // namespace troupe
