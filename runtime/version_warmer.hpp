#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"

namespace troupe {

struct warming {
  version_id version = 0;
  size_t nodes = 1; ///< each of them is to compute something
  /// Its nodes are of other processes, and may come later.
  bool patient = false;
  uint32_t vocab = 0;
  uint32_t context = 0;
};

/// Has a version compute some short answers, and tells the manager how that
/// went.
using version_warmer_actor =
    client_actor::extend<caf::reacts_to<deadline_tick>>;

struct version_warmer_state {
  static constexpr const char* name = "version_warmer";
  version_warmer_state() = default;

  size_t left = 0;    ///< answers under way
  uint32_t tries = 0; ///< rounds so far
  error failure;
};

static_assert(!std::is_aggregate_v<version_warmer_state>);

version_warmer_actor::behavior_type
version_warmer(actor_pointer<version_warmer_actor, version_warmer_state> self,
               gateway_actor gateway, model_manager_actor manager,
               warming what);

} // namespace troupe
