#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// Exact quantiles of times, in ns; the nearest-rank method.
struct trace_quantiles {
  int64_t p50 = 0;
  int64_t p99 = 0;
  int64_t max = 0;
};

/// Messages of one type from actors of one kind to those of another.
struct trace_flow {
  std::string from; ///< kinds; "nobody"
  std::string to;
  std::string type;
  uint64_t count = 0;
  uint64_t bytes = 0;
  uint64_t handled = 0;
  uint64_t unhandled = 0;   ///< by actors that are recorded
  trace_quantiles queueing; ///< of those that were handled
  trace_quantiles handling;
};

struct trace_busy_actor {
  uint32_t actor = 0;
  uint64_t handled = 0;
  int64_t busy_ns = 0; ///< in handlings
};

struct trace_stats {
  std::vector<trace_flow> flows; ///< the most frequent first
  /// Messages with the longest way from leaving to their end, longest first.
  std::vector<uint32_t> slowest;
  std::vector<trace_busy_actor> busiest; ///< first
  int64_t span_ns = 0;
};

/// `request`: only its messages; 0: all. At most `most` of the slowest and the
/// busiest are told.
trace_stats stats_of(const trace_model& m, uint64_t request = 0,
                     size_t most = 10);

/// As tables for people.
std::string to_text(const trace_stats& s, const trace_model& m);

/// As one JSON object, in a line.
std::string to_json(const trace_stats& s, const trace_model& m);

} // namespace troupe
