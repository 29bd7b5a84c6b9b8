#pragma once

#include <functional>
#include <memory>

#include "actors/protocol/interfaces.hpp"
#include "core/engine/engine.hpp"

namespace troupe {

struct shard_worker_options {
  rank_kind kind = rank_kind::tensor;
  std::shared_ptr<const model> whole;
  /// This rank's; called once, by the worker, for it may take its time.
  std::function<result<std::shared_ptr<const model>>()> weights;
  std::shared_ptr<collective> ranks;
  unsigned threads = 1;
  uint32_t max_tokens = 256;
  activation_type activations = activation_type::i16;
  kv_dtype kv = kv_dtype::f16;
  /// It ends, because of this. Called by the worker.
  std::function<void(const error&)> failed;
};

/// Behaviour of one rank of a group, not rank 0; spawn it detached, it computes
/// and waits for the other ranks. It ends when the group does.
rank_actor::behavior_type shard_worker(rank_actor::pointer self,
                                       shard_worker_options opts);

} // namespace troupe
