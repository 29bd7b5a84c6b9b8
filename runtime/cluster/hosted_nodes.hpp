#pragma once

#include <caf/fwd.hpp>

#include <memory>
#include <string>

#include "actors/protocol/interfaces.hpp"
#include "runtime/cluster/node_member.hpp"

namespace troupe {

struct hosted_nodes_options {
  /// What the nodes compute with.
  runtime_options runtime;
  /// Where others reach them; each has a port of its own, any.
  std::string listen = "127.0.0.1";
  std::string advertise; ///< as of a node_member
  /// Nodes at a time; more are not started.
  uint32_t most = 4;
};

/// Lets others have nodes in a program with an actor system of its own, by
/// CAF's remote_spawn: `order` from elsewhere, or the same within. A node joins
/// the cluster that its order names.
///
///     auto nodes = hosted_nodes{options};
///     auto config = caf::actor_system_config{};
///     nodes.configure(config);
///     auto system = caf::actor_system{config};
///     auto transport = cluster_transport::start(system, …);
///     if (auto ok = nodes.open(system, **transport, 7071); !ok) …
///     …
///     nodes.close();
///
/// Whoever connects to the port may order nodes, and needs a certificate of the
/// cluster's CA where TLS is configured.
class hosted_nodes {
public:
  explicit hosted_nodes(hosted_nodes_options options);
  hosted_nodes(hosted_nodes&&) noexcept;
  hosted_nodes& operator=(hosted_nodes&&) noexcept;
  ~hosted_nodes();

  /// The name of what is spawned.
  static constexpr const char* actor_name = "troupe.node";

  /// Adds Troupe's messages, its transport and what can be spawned to the
  /// configuration of a system to be.
  void configure(caf::actor_system_config& config);

  /// Takes orders from now on, at a port that others can find this process at;
  /// 0: any. Returns the port. System and transport must be there until
  /// `close`. Errors: as cluster_transport::publish.
  result<uint16_t> open(caf::actor_system& system, cluster_transport& transport,
                        uint16_t port);

  /// Ends all nodes, and takes no more orders. REQUIRES: the system is there
  /// still, if `open` was called.
  void close();

private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

/// Has the process at `at`, which has `hosted_nodes` open, start a node.
/// Blocks. Errors: as `cluster_transport::connect`; unsupported if it takes no
/// orders, or no more of them.
result<hosted_node_actor> order_node(caf::actor_system& system,
                                     cluster_transport& transport,
                                     const node_address& at,
                                     const node_order& order);

} // namespace troupe
