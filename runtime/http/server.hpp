#pragma once

#include <memory>

#include "core/base/result.hpp"
#include "runtime/http/options.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

/// A runtime's gateway to HTTP (docs/http.md): OpenAI's API over one thread
/// that all sockets share, and one that reads large bodies. Neither waits for
/// the model.
class http_server {
public:
  /// Listens. `rt` must outlive the server. Errors: invalid_argument for a host
  /// that is no address, io_error, bad_file for TLS (`PATH: reason; remedy`).
  static result<http_server> start(runtime& rt, http_options options);

  http_server(http_server&&) noexcept;
  http_server& operator=(http_server&&) noexcept;
  /// Closes all connections, and cancels what they asked for.
  ~http_server();

  uint16_t port() const;
  uint16_t admin_port() const; ///< 0: there is none
  const std::string& model_name() const;

private:
  struct impl;
  explicit http_server(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
