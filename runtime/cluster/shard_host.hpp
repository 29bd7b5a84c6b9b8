#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/tensor/matrix.hpp"
#include "runtime/cluster/options.hpp"

namespace troupe {

struct shard_host_options {
  /// The same as that of rank 0; of a tensor-parallel group only this rank's
  /// part is read.
  std::string model;
  /// Threads that compute; 0: the machine's cores.
  unsigned threads = 0;
  activation_type activations = activation_type::i8;
  /// Where rank 0 waits for ranks.
  node_address join;
  std::optional<tls_files> tls;
  /// What happens, for a log. Must not block.
  std::function<void(const std::string& line)> news;
};

/// One rank of a node in a process of its own (see docs/parallel.md). It takes
/// a free seat of the node's, and again whenever it lost it, until it is told
/// to leave. Safe to use from any thread.
class shard_host {
public:
  /// Loads the model and begins to join. Errors: those of the model file,
  /// invalid_argument, bad_file (TLS).
  static result<shard_host> start(shard_host_options options);

  shard_host(shard_host&&) noexcept;
  shard_host& operator=(shard_host&&) noexcept;
  /// Leaves at once: the node begins anew when another process takes the seat.
  ~shard_host();

  void leave();

  /// Waits until the rank has left. Errors: that it was refused for good.
  result<void> wait();

private:
  struct impl;
  explicit shard_host(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
