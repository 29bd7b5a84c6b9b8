#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/result.hpp"

namespace troupe::http {

// What operators see of the messages that this process records (docs/http.md).
// `file` is where; no more than `most` bytes of it are read, the newest.

inline constexpr auto most_trace_bytes = uint64_t{64} << 20;

/// The requests that began last, the latest first.
nlohmann::json trace_requests_json(const std::optional<std::string>& file,
                                   uint64_t most = most_trace_bytes);

/// One of them: where its time went, and its sequence diagram as SVG. Errors:
/// unknown_sequence.
result<nlohmann::json>
trace_request_json(const std::optional<std::string>& file, uint64_t request,
                   uint64_t most = most_trace_bytes);

} // namespace troupe::http
