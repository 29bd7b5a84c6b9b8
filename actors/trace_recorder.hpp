#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "core/trace/options.hpp"
#include "core/trace/writer.hpp"

namespace troupe {

/// Drains what threads recorded into a file.
class trace_recorder_state {
public:
  static constexpr const char* name = "trace_recorder";

  trace_recorder_state() = default;

  void init(trace_options opts, trace_writer writer);
  void drain();
  trace_status on(const trace_command& m);

private:
  result<void> write();

  trace_options opts_;
  std::optional<trace_writer> writer_; ///< none: it is over
  std::string failure_;
  uint64_t bytes_ = 0;
  size_t nodes_ = 0; ///< told
  raw_bytes records_;
  raw_bytes texts_; ///< to be told first
};

static_assert(!std::is_aggregate_v<trace_recorder_state>);

/// Records all messages of the process from now on. It is no part of what it
/// records. Errors: io_error, of the file; unsupported, if they are recorded
/// already.
result<trace_recorder_actor> start_trace_recorder(caf::actor_system& system,
                                                  trace_options options);

} // namespace troupe
