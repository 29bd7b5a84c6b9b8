#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <memory>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/engine/engine.hpp"

namespace troupe {

struct rank_link_options {
  rank_hub_actor hub;
  std::shared_ptr<const model> whole;
  /// This process' part of it, whichever rank it becomes; called by a worker.
  std::function<result<std::shared_ptr<const model>>(const rank_seat&)> weights;
  std::string fingerprint; ///< as nodes name the model
  std::string isa;
  unsigned threads = 1;
  activation_type activations = activation_type::i8;
  /// It has a seat.
  std::function<void(const rank_seat&)> seated;
  /// Its connection is over, or it was refused; it ends.
  std::function<void(const error&)> over;
};

struct rank_link_state {
  static constexpr const char* name = "rank_link";
};

/// Behaviour of a rank's connection to rank 0, for one stay: takes a seat, and
/// has a shard_worker for each group.
rank_link_actor::behavior_type
rank_link(actor_pointer<rank_link_actor, rank_link_state> self,
          rank_link_options opts);

} // namespace troupe
