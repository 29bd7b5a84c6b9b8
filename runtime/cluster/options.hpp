#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "actors/protocol/messages.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "runtime/cluster/tls.hpp"

namespace troupe {

/// Where a cluster's nodes and clients come unless they are told otherwise.
inline constexpr uint16_t default_cluster_port = 7070;

/// A cluster's front: the process with its gateway and its registry.
struct cluster_options {
  /// Where nodes join. Beyond loopback it takes TLS.
  node_address listen{"127.0.0.1", default_cluster_port};
  std::optional<tls_files> tls;
  /// Between two heartbeats of a node.
  duration interval = std::chrono::milliseconds{250};
  /// Silence until a node is given up, and its requests go on elsewhere; it
  /// gets no new ones after half of that. REQUIRES: over twice `interval`.
  duration timeout = std::chrono::seconds{2};
};

/// A cluster as its clients see it.
struct cluster_client_options {
  node_address at{"127.0.0.1", default_cluster_port};
  std::optional<tls_files> tls;
};

/// "HOST:PORT", "HOST", ":PORT" or "[V6]:PORT"; what is missing is
/// 127.0.0.1, and `default_cluster_port`. Errors: invalid_argument.
result<node_address> parse_address(const std::string& text);

/// "HOST:PORT"
std::string to_string(const node_address& a);

} // namespace troupe
