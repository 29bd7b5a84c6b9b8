#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/observed.hpp"
#include "actors/peers.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "core/cluster/membership.hpp"
#include "core/serving/router.hpp"

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
  /// One of another process.
  void add(node_id node, node_role role, std::string name, version_id version,
           const node_ready& m);
  /// No requests for a node that is silent, until it is heard again.
  void suspend(node_id node, bool yes);
  /// Forgets a node; its handle, null if it had none.
  status_actor remove(node_id node);
  /// Whether another node of its version could take its sequences over.
  bool others_generate(node_id node) const;

  /// See `router`. Errors: no_node.
  result<placement> place(const place_request& m);
  void release(const release_placement& m);
  void move(const placement_moved& m);

  /// Whom to ask for a move, and what. Errors: unknown_sequence, no_node.
  result<std::pair<decode_actor, migrate_sequence>>
  find(const migrate_request& m) const;

  /// Takes a node out of service; whom to tell, and what. Errors: no_node.
  result<std::pair<drainable_actor, drain_node>> retire(const drain_request& m);

  /// What a node says it has to do.
  void on(const node_load& load, const caf::actor_addr& node);
  void on(const node_load& load, node_id node);

  void down(const caf::actor_addr& peer);
  std::optional<node_id> find(const caf::actor_addr& peer) const;

  struct member {
    node_id node = 0;
    std::string name;
    version_id version = 1;
    status_actor handle;
  };
  std::vector<member> members() const;
  size_t requests() const { return router_.requests(); }

  peers outstanding; ///< status queries under way

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  /// One of the handles is set.
  struct entry {
    node_id node = 0;
    node_role role = node_role::mixed;
    prefill_actor prefill;
    decode_actor decode;
    std::string name;
    version_id version = 1;
    bool leaving = false;   ///< being drained
    bool suspended = false; ///< silent
    status_actor handle() const {
      return decode ? status_actor{decode} : status_actor{prefill};
    }
    bool is(const caf::actor_addr& peer) const {
      return prefill == peer || decode == peer;
    }
  };

  void join(entry e);
  const entry* generating(node_id node) const;

  std::map<router::member, entry> members_;
  router router_;
  router::member last_ = 0;
};

static_assert(!std::is_aggregate_v<registry_state>);

/// Behaviour of the registry. `patience` bounds a status query.
registry_actor::behavior_type
registry(actor_pointer<registry_actor, registry_state> self,
         std::chrono::milliseconds patience);

/// The same, for one that nodes of other processes may join. Whether they
/// live, and what they are called, is `membership`'s to know.
registry_actor::behavior_type
cluster_registry(actor_pointer<registry_actor, registry_state> self,
                 std::chrono::milliseconds patience, membership_options opts);

} // namespace troupe
