#pragma once

#include <caf/stateful_actor.hpp>

#include <vector>

#include "actors/peers.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// Who is in the cluster and how loaded.
class registry_state {
public:
  static constexpr const char* name = "registry";

  registry_state() = default;

  void add(const add_prefill& m);
  void add(const add_decode& m);

  /// The node of each role with the fewest sequences; ties go to the lowest
  /// id, so that a run is reproducible.
  result<placement> place();
  void release(const release_placement& m);
  void down(const caf::actor_addr& peer);

  struct member {
    node_id node = 0;
    status_actor handle;
  };
  std::vector<member> members() const;

  peers outstanding; ///< status queries under way

private:
  template <class Handle>
  struct entry {
    node_id node = 0;
    Handle handle;
    uint32_t load = 0; ///< sequences placed and not released
  };

  std::vector<entry<prefill_actor>> prefill_;
  std::vector<entry<decode_actor>> decode_;
};

static_assert(!std::is_aggregate_v<registry_state>);

/// Behaviour of the registry. `patience` bounds a status query.
registry_actor::behavior_type
registry(registry_actor::stateful_pointer<registry_state> self,
         std::chrono::milliseconds patience);

} // namespace troupe
