#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/kv_map.hpp"
#include "core/serving/node_load.hpp"
#include "core/serving/node_role.hpp"
#include "core/serving/schedule_view.hpp"

namespace troupe {

// What nodes, their registry and operators say to each other.

/// Move a request's sequence to another node while it generates.
struct migrate_request {
  request_id request = 0;
  node_id node = 0;
  auto fields() { return std::tie(request, node); }
};

/// The sequence generates at its destination.
struct migrated {
  request_id request = 0;
  epoch_t epoch = 0;
  /// From its last token here until the destination had taken over, in
  /// nanoseconds.
  int64_t pause_ns = 0;
  /// Tokens whose KV went over.
  uint32_t tokens = 0;
  auto fields() { return std::tie(request, epoch, pause_ns, tokens); }
};

/// Take a request's blocks away, one way or the other.
struct preempt_sequence {
  request_id request = 0;
  preempt_way way = preempt_way::swap;
  auto fields() { return std::tie(request, way); }
};

/// Take a node out of service: no new work, what it has moves away.
struct drain_request {
  node_id node = 0;
  /// Of a node that joined the cluster, in place of its number; it leaves then.
  std::string name;
  auto fields() { return std::tie(node, name); }
};

/// The node holds no sequence any more.
struct drained {
  node_id node = 0;
  /// Sequences that moved with their KV.
  uint32_t moved = 0;
  /// Sequences that go on elsewhere from their tokens alone.
  uint32_t replaced = 0;
  auto fields() { return std::tie(node, moved, replaced); }
};

/// An actor's note to itself: run the next step.
struct step_tick {
  uint64_t number = 0;
  auto fields() { return std::tie(number); }
};

/// An actor's note to itself: look at deadlines.
struct deadline_tick {
  uint64_t number = 0;
  auto fields() { return std::tie(number); }
};

struct status_query {
  /// 1: with maps of KV blocks.
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

struct node_status {
  node_id node = 0;
  /// Of a node that joined the cluster.
  std::string name;
  node_role role = node_role::prefill;
  version_id version = 1; ///< of the model
  uint32_t sequences = 0;
  /// Held by sequences.
  uint32_t blocks_in_use = 0;
  uint32_t blocks_total = 0;
  /// Sequences that wait for blocks or their turn.
  uint32_t waiting = 0;
  uint64_t steps = 0;
  /// Rows of the fullest step so far.
  uint32_t largest_batch = 0;
  /// Kept for prompts that begin alike, and held by no sequence.
  uint32_t cached_blocks = 0;
  /// Tokens that were not computed because their KV was kept.
  uint64_t hit_tokens = 0;
  /// Preemptions: by handing the KV to the store, and by dropping it.
  uint64_t swaps = 0;
  uint64_t recomputes = 0;
  /// Blocks that were copied to lie side by side.
  uint64_t compacted = 0;
  /// A KV store's: those of its blocks in use that are in its file, bytes that
  /// went there so far, offers refused so far.
  uint32_t file_blocks = 0;
  uint64_t spilled_bytes = 0;
  uint64_t refused = 0;
  /// If asked for, where blocks lie; of nodes that compute.
  std::vector<kv_run> map = {};
  static constexpr size_t max_runs = 4096;
  auto fields() {
    return std::tie(node, name, role, version, sequences, blocks_in_use,
                    blocks_total, waiting, steps, largest_batch, cached_blocks,
                    hit_tokens, swaps, recomputes, compacted, file_blocks,
                    spilled_bytes, refused, map);
  }
};

struct cluster_status {
  std::vector<node_status> nodes;
  /// Nodes that did not answer in time.
  std::vector<node_id> silent;
  /// Requests that are on nodes, or on their way there.
  uint32_t requests = 0;
  auto fields() { return std::tie(nodes, silent, requests); }
};

/// Where shall this request run?
struct place_request {
  request_id request = 0;
  /// Nodes that died or failed under it: taken only if there is no other.
  std::vector<node_id> avoid;
  request_size size;
  version_id version = 1;
  /// Digests of the prompt's blocks; empty: it does not matter who has them.
  std::vector<uint64_t> prefix = {};
  /// Nothing follows its prompt: it needs no node that decodes.
  bool prompt_only = false;
  auto fields() {
    return std::tie(request, avoid, size, version, prefix, prompt_only);
  }
};

/// The request no longer loads the nodes it was placed on. Idempotent.
struct release_placement {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

/// The request runs on another node now.
struct placement_moved {
  request_id request = 0;
  node_id node = 0;
  auto fields() { return std::tie(request, node); }
};

} // namespace troupe
