#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>

#include "actors/observed.hpp"
#include "actors/outside_ranks.hpp"
#include "actors/protocol/interfaces.hpp"

namespace troupe {

struct rank_hub_options {
  std::shared_ptr<outside_ranks> ranks;
  /// What ranks have to have as well: the model, as nodes name it.
  std::string fingerprint;
  std::string isa;
  /// What each is told, but for its number.
  rank_seat seat;
  /// All ranks are there; some are not any more. Called by the hub: must not
  /// block.
  std::function<void()> full;
  std::function<void(const error&)> lost;
  /// A line for a log.
  std::function<void(const std::string&)> news;
};

struct rank_hub_state {
  static constexpr const char* name = "rank_hub";
};

/// Behaviour of what the processes of a node's ranks connect to: gives them
/// seats, carries what they send, and notices when they are gone.
rank_hub_actor::behavior_type
rank_hub(actor_pointer<rank_hub_actor, rank_hub_state> self,
         rank_hub_options opts);

} // namespace troupe
