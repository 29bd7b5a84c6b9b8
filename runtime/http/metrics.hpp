#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "actors/protocol/messages.hpp"
#include "core/base/time.hpp"

namespace troupe::http {

/// Counts times in fixed buckets.
class time_histogram {
public:
  void record(duration d);
  void write(std::string& out, std::string_view name) const;

private:
  /// Upper bounds, in seconds.
  static constexpr auto bounds = std::array{0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                            0.5,   1.0,  2.5,   5.0,  10., 30.};
  std::array<uint64_t, bounds.size() + 1> counts_{};
  double sum_ = 0; ///< seconds
};

/// What the server has done since it began. Of one thread.
struct metrics {
  /// By endpoint (a literal of the routes) and status.
  std::map<std::pair<std::string_view, int>, uint64_t> requests;
  uint64_t connections_total = 0;
  uint64_t connections_refused = 0;
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t generated_tokens = 0;
  /// Answers that nobody waited for any more.
  uint64_t cancelled = 0;
  time_histogram time_to_first_token;
  time_histogram answer_time;
};

/// What holds at this moment.
struct gauges {
  uint64_t connections = 0;
  uint64_t answers = 0;
  uint64_t body_bytes = 0;
};

/// In Prometheus' text format. `nodes` may be null: nobody could be asked.
std::string to_prometheus(const metrics& m, const gauges& now,
                          const cluster_status* nodes);

} // namespace troupe::http
