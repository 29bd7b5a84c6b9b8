#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/serving/node_role.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

struct node_host_options {
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
  std::optional<tls_files> tls;
  /// Where this node waits for its other ranks, if these are processes of their
  /// own (shard_host); port 0: any. It joins when all are there. Without it
  /// they are threads of this process, if there are some.
  std::optional<node_address> ranks_at;
  /// What happens, for a log; a word ("ready", "fenced", …) and, with some,
  /// why. Called by an actor: must not block.
  std::function<void(const std::string& what, const std::string& why)> news;
};

/// One node of a cluster in a process of its own (see docs/cluster.md). It
/// joins, and joins again whenever it was cut off, until it is told to leave.
/// Safe to use from any thread.
class node_host {
public:
  /// Loads the model and begins to join. Errors: those of the model file,
  /// invalid_argument, io_error (it cannot listen), bad_file (TLS); unsupported
  /// if the model cannot have such ranks.
  static result<node_host> start(node_host_options options);

  node_host(node_host&&) noexcept;
  node_host& operator=(node_host&&) noexcept;
  /// Ends the node; what it had goes on elsewhere, from its tokens.
  ~node_host();

  /// Where ranks join; 0 without `ranks_at`.
  uint16_t ranks_port() const;

  /// Begins to drain the node; it leaves then.
  void leave();

  /// Waits until the node has left. Errors: unsupported, if it was refused.
  result<void> wait();

private:
  struct impl;
  explicit node_host(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
