#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "actors/observed.hpp"
#include "actors/owed_reply.hpp"
#include "actors/registry.hpp"
#include "core/cluster/membership.hpp"

namespace troupe {

/// The registry's nodes of other processes: carries what `membership` decides
/// to their agents, and to the registry's own books.
class remote_nodes {
public:
  using pointer = actor_pointer<registry_actor, registry_state>;

  /// Without options nobody may join.
  remote_nodes(pointer self, std::optional<membership_options> opts);

  void on(const join_node& m);
  /// False: it is no member, and has been told.
  bool on(const node_ready& m);
  void on(const heartbeat& m);
  void on(const leave& m);
  void tick(const deadline_tick& m);
  void on(const admit_version& m);
  void on(const dismiss_version& m);

  /// An agent, a node or a watcher died.
  void down(const caf::actor_addr& peer);

  /// Whether the request is about one of them.
  bool knows(const drain_request& m) const;
  /// Answered once the node is empty, and leaves. REQUIRES: knows(m).
  caf::result<drained> drain(const drain_request& m);

  void watch(const node_watcher& to);

private:
  struct node {
    node_agent_actor agent;
    node_address address;
    bool ready = false;
    bool emptying = false; ///< was told to give up its sequences
    std::vector<owed_reply<drained>> drains;
  };

  time_point now() const;
  void act(membership_output out, const node_agent_actor& sender);
  void act(const membership_event& e);
  void empty(node_id id);
  void emptied(node_id id, membership_epoch epoch, const result<drained>& how);
  void arm();

  pointer self_;
  std::optional<membership> members_;
  std::map<node_id, node> nodes_;
  std::vector<node_watcher> watchers_;
  uint64_t timer_ = 0; ///< the one that counts
  std::optional<time_point> armed_;
};

} // namespace troupe
