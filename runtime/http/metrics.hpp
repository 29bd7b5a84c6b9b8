#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/protocol/messages.hpp"
#include "core/base/time.hpp"
#include "core/observe/metrics.hpp"

namespace troupe::http {

/// Times of one kind: all since the server began, and those of the last minute.
class timing {
public:
  timing(metric_registry& all, const char* name, const char* help,
         time_point now);

  void record(duration d) { recorder_.record(d); }
  histogram_counts recent(time_point now);

private:
  histogram& all_;
  histogram::recorder recorder_;
  histogram_window window_;
};

/// What the server has done since it began. Of one thread.
struct metrics {
  explicit metrics(time_point now);

  metric_registry all;
  metric_family<counter>& requests; ///< by endpoint and status
  counter& connections;
  counter& connections_refused;
  counter& handshakes_failed; ///< of TLS
  counter& prompt_tokens;
  counter& cached_tokens;
  counter& generated_tokens;
  /// Answers that nobody waited for any more.
  counter& cancelled;
  timing time_to_first_token;
  timing time_per_token;
  timing answer_time;
};

/// What holds at this moment.
struct gauges {
  uint64_t connections = 0;
  uint64_t answers = 0;
  uint64_t body_bytes = 0;
};

/// In Prometheus' text format. `nodes` may be null: nobody could be asked; so
/// may `cache`: there is none.
std::string to_prometheus(const metrics& m, const gauges& now,
                          const cluster_status* nodes,
                          const cache_status* cache);

/// Percentiles of the last minute, in milliseconds.
nlohmann::json recent_latencies(metrics& m, time_point now);

} // namespace troupe::http
