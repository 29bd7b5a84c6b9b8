#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "runtime/http_address.hpp"
#include "runtime/otlp_options.hpp"

namespace troupe {

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
  std::shared_ptr<std::atomic<bool>> over;
  bool traces_fail = false; ///< and it was said so; the next, too
  bool metrics_fail = false;
};

static_assert(!std::is_aggregate_v<otlp_exporter_state>);

/// Sends what the profiler knows to a collector, by OTLP in JSON over HTTP.
/// Spawn it detached: it waits. What it cannot send it sends with the next, and
/// what the collector refuses is lost;
/// what piles up is the profiler's to keep or drop. It gives up what it is at
/// once `over` is set.
otlp_exporter_actor::behavior_type
otlp_exporter(actor_pointer<otlp_exporter_actor, otlp_exporter_state> self,
              profiler_actor profiler, http_address to, otlp_options options,
              std::shared_ptr<std::atomic<bool>> over);

} // namespace troupe
