#pragma once

#include <vector>

#include "core/model/model.hpp"
#include "core/parallel/partition.hpp"

namespace troupe {

/// How ranks share a step.
enum class rank_kind : uint8_t {
  /// Each has a part of the weights; see load_shard.
  tensor,
  /// Each has a part of the tokens; see sequence_scatter.
  sequence,
};

/// The KV heads that each rank needs for itself, [ranks]. Rank 0 of a group
/// whose KV others read has all heads beside. Latent attention has one head,
/// that all need. Errors: those of plan_shard or of sequence_scatter::check.
result<std::vector<part>> kv_heads_of(const model& whole, rank_kind kind,
                                      uint32_t ranks);

} // namespace troupe
