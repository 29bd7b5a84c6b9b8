#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "runtime/api_key.hpp"

namespace troupe {

/// PEM files of a gateway that encrypts.
struct http_tls {
  std::string certificate; ///< the server's, with its chain if it has one
  std::string key;         ///< its private key, without a passphrase
  /// Who must have signed the certificates of clients; empty: they need none.
  std::string client_ca;
};

/// How the HTTP gateway listens, and what one client can cost.
struct http_options {
  std::string host = "127.0.0.1";
  uint16_t port = 8080; ///< 0: any
  /// Where operators come (docs/http.md), at 127.0.0.1 alone; 0: any. Without
  /// it, nowhere.
  std::optional<uint16_t> admin_port;
  /// Without it, clients' bytes are in the clear. That of operators always are.
  std::optional<http_tls> tls;
  /// What clients call the model; empty: as its file.
  std::string model_name;
  /// Who may ask; without it, anybody.
  std::optional<std::vector<api_key>> keys;
  /// More are turned away with status 503.
  uint32_t max_connections = 1024;
  /// Answers under way at a time; more are refused with status 429.
  uint32_t max_requests = 256;
  uint64_t max_body_bytes = uint64_t{8} << 20; ///< of one request
  /// Of all requests that are being read or answered.
  uint64_t max_bodies_bytes = uint64_t{256} << 20;
  /// A client that lets so much of a stream pile up is cut off.
  size_t max_unsent_bytes = size_t{256} << 10;
  /// The kernel's buffer of each connection.
  int send_buffer_bytes = 128 << 10;
  /// Of a connection's first head, its handshake included.
  duration header_deadline = std::chrono::seconds{10};
  duration body_deadline = std::chrono::seconds{30};
  duration idle_deadline = std::chrono::seconds{60};
  /// From a request's first byte to its answer's last token.
  duration answer_deadline = std::chrono::minutes{30};
  /// Until 64 KiB, or what there is, have been taken.
  duration write_deadline = std::chrono::seconds{30};
  /// Between a last answer and the end of its connection, for a client that
  /// still sends.
  duration linger = std::chrono::seconds{1};
  /// Hears a line about each request, on the server's thread.
  std::function<void(const std::string&)> log;
};

} // namespace troupe
