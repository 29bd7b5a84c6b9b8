#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "core/serving/router.hpp"
#include "core/trace/state_writer.hpp"

namespace troupe {

/// Who is in the cluster, how loaded, and which request is on which node. The
/// registry keeps it; sessions of its process may use it beside the registry,
/// from any thread, since to ask takes longer than to choose.
class node_book {
public:
  node_book() = default;

  // -- nodes: for the registry alone ------------------------------------------

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

  // -- requests ---------------------------------------------------------------

  /// See `router`. Errors: no_node.
  result<placement> place(const place_request& m);
  void release(const release_placement& m);
  void move(const placement_moved& m);

  /// Whom to ask for a move, and what. Errors: unknown_sequence, no_node.
  result<std::pair<decode_actor, migrate_sequence>>
  find(const migrate_request& m) const;

  size_t requests() const;

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

  mutable std::mutex mutex_; ///< of all that follows
  std::map<router::member, entry> members_;
  router router_;
  router::member last_ = 0;
};

} // namespace troupe
