#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
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

  /// A node that joins again under its number replaces its former self.
  void add(const add_prefill& m);
  void add(const add_decode& m);
  void add(const add_mixed& m);

  /// The mixed node, or the node of each other role, where the request is
  /// predicted to take least and to hold least up, of those that have room for
  /// its prompt; ties go to those with fewer requests, to the mixed node, and
  /// to the lowest id, so that a run without reports is reproducible. Without
  /// prefill nodes, decode nodes prefill.
  result<placement> place(const place_request& m);
  void release(const release_placement& m);
  void move(const placement_moved& m);

  /// Whom to ask for a move, and what. Errors: unknown_sequence, no_node.
  result<std::pair<decode_actor, migrate_sequence>>
  find(const migrate_request& m) const;

  /// Takes a node that generates out of service; whom to tell, and what.
  /// Errors: no_node.
  result<std::pair<decode_actor, drain_node>> retire(const drain_request& m);

  /// What a node says it has to do.
  void on(const node_load& load, const caf::actor_addr& node);

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
    load_estimate load;
  };
  struct booking {
    placement where;
    request_size size;
  };

  std::vector<entry<prefill_actor>> prefill_;
  std::vector<entry<decode_actor>> decode_;
  std::vector<entry<decode_actor>> mixed_;
  std::vector<entry<decode_actor>> leaving_; ///< being drained
  std::map<request_id, booking> placements_;
};

static_assert(!std::is_aggregate_v<registry_state>);

/// Behaviour of the registry. `patience` bounds a status query.
registry_actor::behavior_type
registry(registry_actor::stateful_pointer<registry_state> self,
         std::chrono::milliseconds patience);

} // namespace troupe
