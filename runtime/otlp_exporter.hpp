#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "runtime/otlp_options.hpp"

namespace troupe {

/// Where something is at, over HTTP without encryption.
struct http_address {
  std::string host;
  std::string port;
  std::string path; ///< without a slash at its end
};

/// Reads "http://HOST[:PORT][/PATH]". Errors: invalid_argument.
result<http_address> parse_http_address(const std::string& url);

/// Posts `body` as JSON, and waits for a status of 2xx, for `deadline` at most.
/// Errors: io_error, timeout.
result<void> post_json(const http_address& to, const std::string& path,
                       const std::string& body,
                       std::chrono::milliseconds deadline);

using otlp_exporter_actor = caf::typed_actor<
    // To itself.
    caf::reacts_to<deadline_tick>>;

class otlp_exporter_state {
public:
  static constexpr const char* name = "otlp_exporter";

  otlp_exporter_state() = default;

  http_address to;
  otlp_options options;
  std::string unsent; ///< traces that could not be sent
  bool complained = false;
};

static_assert(!std::is_aggregate_v<otlp_exporter_state>);

/// Sends what the profiler knows to a collector, by OTLP in JSON over HTTP.
/// Spawn it detached: it waits. What it cannot send it sends with the next;
/// what piles up is the profiler's to keep or drop.
otlp_exporter_actor::behavior_type
otlp_exporter(actor_pointer<otlp_exporter_actor, otlp_exporter_state> self,
              profiler_actor profiler, http_address to, otlp_options options);

} // namespace troupe
