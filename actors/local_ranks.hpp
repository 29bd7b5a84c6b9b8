#pragma once

#include <caf/fwd.hpp>

#include "actors/node_ranks.hpp"

namespace troupe {

/// What the ranks of a group have in common.
struct rank_setup {
  rank_kind kind = rank_kind::tensor;
  std::shared_ptr<const model> whole;
  /// [ranks]: of each; of sequence parallelism the whole model.
  std::vector<std::shared_ptr<const model>> weights;
  kv_dtype kv = kv_dtype::f16;
};

/// The weights of all ranks of one process. Errors: those of plan_shard or
/// sequence_scatter::check.
result<rank_setup> set_up_ranks(std::shared_ptr<const model> whole,
                                rank_kind kind, uint32_t ranks, kv_dtype kv);

/// A group whose ranks are threads of this process: spawns a shard_worker for
/// each but rank 0, which the node with options `o` is.
std::shared_ptr<node_ranks> start_local_ranks(caf::actor_system& system,
                                              const rank_setup& setup,
                                              const node_options& o);

} // namespace troupe
