#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/observe/spans.hpp"

namespace troupe {

// What requests went through.

/// One stage of one request, on the clock of its session.
struct stage_time {
  stage what = stage::admit;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  auto fields() { return std::tie(what, begin_ns, end_ns); }
};

/// What a request went through.
struct request_profile {
  request_id request = 0;
  uint64_t trace_high = 0;
  uint64_t trace_low = 0;
  uint64_t parent = 0; ///< a span; 0: none
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  std::vector<stage_time> stages;
  auto fields() {
    return std::tie(request, trace_high, trace_low, parent, begin_ns, end_ns,
                    stages);
  }
};

/// What is known of requests and their stages, as a text.
struct profile_query {
  enum class kind : uint8_t {
    prometheus,
    otlp_metrics,
    otlp_traces, ///< those since it was last asked for; empty: there are none
  };
  kind what = kind::prometheus;
  auto fields() { return std::tie(what); }
};

struct profile_report {
  std::string text;
  auto fields() { return std::tie(text); }
};

struct latency_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// Of the last minute, in nanoseconds.
struct stage_latency {
  stage what = stage::admit;
  uint64_t count = 0;
  uint64_t p50_ns = 0;
  uint64_t p95_ns = 0;
  uint64_t p99_ns = 0;
  auto fields() { return std::tie(what, count, p50_ns, p95_ns, p99_ns); }
};

struct stage_latencies {
  std::vector<stage_latency> stages;
  auto fields() { return std::tie(stages); }
};

} // namespace troupe
