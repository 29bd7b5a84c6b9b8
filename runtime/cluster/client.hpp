#pragma once

#include <memory>
#include <string>

#include "runtime/cluster/options.hpp"

namespace troupe {

/// Looks after a cluster from outside; needs no model.
class cluster_client {
public:
  /// Errors: io_error, timeout, unsupported, bad_file (TLS), invalid_argument.
  static result<cluster_client> connect(const cluster_client_options& options);

  cluster_client(cluster_client&&) noexcept;
  cluster_client& operator=(cluster_client&&) noexcept;
  ~cluster_client();

  result<cluster_status> status();

  /// See runtime::drain.
  result<drained> drain(const std::string& name);

private:
  struct impl;
  explicit cluster_client(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
