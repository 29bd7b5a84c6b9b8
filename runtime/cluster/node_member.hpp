#pragma once

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/cluster/agent.hpp"
#include "core/serving/node_role.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

struct node_member_options {
  /// What the node computes with; `nodes` counts for its store alone.
  runtime_options runtime;
  node_role role = node_role::mixed; ///< REQUIRES: not store
  node_plan plan;
  /// Unique in the cluster; empty: one of this process.
  std::string name;
  /// The cluster's front.
  node_address join{"127.0.0.1", default_cluster_port};
  /// Where other nodes reach this one, for KV to come directly; port 0: any.
  node_address listen{"127.0.0.1", 0};
  /// How others know that host, if not by what it listens at.
  std::string advertise;
  /// Where this node waits for its other ranks, if these are processes of their
  /// own (shard_host); port 0: any. It joins when all are there. Without it
  /// they are threads of this process, if there are some.
  std::optional<node_address> ranks_at;
  // Either may be empty. Called by actors, so they must not block.
  std::function<void(const agent_news&)> on_news;
  std::function<void(const std::string&)> on_ranks;
};

/// One node of a cluster, in an actor system that is there already. Joins, and
/// joins again whenever it was cut off, until it is told to leave.
class node_member {
public:
  /// Loads the model and begins to join. System and transport must outlive it.
  /// Errors: as node_host::start.
  static result<node_member> start(caf::actor_system& system,
                                   cluster_transport& transport,
                                   node_member_options options);

  node_member(node_member&&) noexcept;
  node_member& operator=(node_member&&) noexcept;
  /// Ends the node, and waits for the step that it is in.
  ~node_member();

  /// Where ranks join; 0 without `ranks_at`.
  uint16_t ranks_port() const;

  /// Begins to drain the node; `on_news` tells when it has left. False if there
  /// is nothing to drain, since it waits for its ranks.
  bool leave();

private:
  struct impl;
  explicit node_member(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
