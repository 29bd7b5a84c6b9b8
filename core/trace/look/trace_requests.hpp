#pragma once

#include <cstdint>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// A request at a glance.
struct traced_request {
  uint64_t request = 0;
  uint64_t messages = 0;
  /// Messages that brought tokens to its client: one a token, but for those
  /// that bring several.
  uint64_t token_messages = 0;
  int64_t begin_ns = trace_never;       ///< its first message left
  int64_t first_token_ns = trace_never; ///< it came to the client
  int64_t end_ns = trace_never;         ///< the client heard of it
  int64_t last_ns = trace_never;        ///< of all that is known
  /// Its first message is that of a client, and so nothing before is missing.
  bool has_begin = false;
};

/// The requests that began last, the latest first, at most `most`.
std::vector<traced_request> recent_requests(const trace_model& m, size_t most);

} // namespace troupe
