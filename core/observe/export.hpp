#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/observe/metrics_snapshot.hpp"
#include "core/observe/spans.hpp"

namespace troupe {

/// Prometheus' text format, version 0.0.4.
std::string to_prometheus(const metrics_snapshot& all);

/// Who exports, and when.
struct otlp_origin {
  std::string service = "troupe";
  std::string instance;       ///< of several processes; empty: not said
  uint64_t start_unix_ns = 0; ///< when counting began
  uint64_t now_unix_ns = 0;
};

/// The body of an OTLP request of /v1/metrics, in its JSON form: cumulative
/// sums, gauges and histograms.
std::string to_otlp_json(const metrics_snapshot& all, const otlp_origin& from);

/// The body of an OTLP request of /v1/traces, in its JSON form. `unix_offset`
/// is what makes Unix time of the spans' time, in ns.
std::string to_otlp_json(std::span<const request_trace> traces,
                         const otlp_origin& from, int64_t unix_offset);

} // namespace troupe
