#pragma once

#include <optional>
#include <string_view>

#include "core/observe/spans.hpp"

namespace troupe {

/// Where a request comes from: somebody's trace, and the span there.
struct trace_origin {
  trace_id trace;
  uint64_t parent = 0;
  bool operator==(const trace_origin&) const = default;
};

/// Reads the header `traceparent` (W3C Trace Context, level 1). Nothing if it
/// is malformed, which counts as if it were not there.
std::optional<trace_origin> parse_traceparent(std::string_view header);

} // namespace troupe
