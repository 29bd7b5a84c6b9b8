#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runtime/cluster/node_member.hpp"

namespace troupe {

struct node_host_options : node_member_options {
  std::optional<tls_files> tls;
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
