#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <array>
#include <memory>
#include <string>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/observe/export.hpp"
#include "core/observe/metrics.hpp"
#include "core/observe/spans.hpp"

namespace troupe {

struct profiler_options {
  /// Requests that are kept until somebody takes them.
  size_t traces = 1000;
  /// As exports name this process.
  std::string service = "troupe";
  std::string instance;
  /// Added to the actor's time it is Unix time.
  duration unix_offset = {};
};

/// What requests went through, stage by stage.
class profiler_state {
public:
  static constexpr const char* name = "profiler";

  profiler_state() = default;

  void init(profiler_options opts, time_point now);

  void on(const request_profile& p);
  profile_report report(const profile_query& q, time_point now);
  stage_latencies latencies(time_point now);

private:
  struct timed {
    histogram* all = nullptr;
    histogram::recorder recorder;
    std::unique_ptr<histogram_window> window;
  };

  otlp_origin origin(time_point now) const;

  profiler_options opts_;
  time_point began_ = {};
  std::unique_ptr<metric_registry> metrics_;
  counter* requests_ = nullptr;
  std::array<timed, stages> stages_;
  std::unique_ptr<trace_log> traces_;
};

static_assert(!std::is_aggregate_v<profiler_state>);

/// Behaviour of the profiler.
profiler_actor::behavior_type
profiler(actor_pointer<profiler_actor, profiler_state> self,
         profiler_options opts);

} // namespace troupe
