#pragma once

#include <caf/fwd.hpp>

#include <cstddef>

#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "core/model/model.hpp"
#include "core/trace/options.hpp"

namespace troupe {

/// A recording of the messages of this process, for as long as it lives.
class message_trace {
public:
  /// What shall be replayed has to be recorded before any actor of Troupe is
  /// there. Errors: io_error, of the file; unsupported, if this process records
  /// already.
  static result<message_trace> start(caf::actor_system& system,
                                     trace_options options);

  message_trace(message_trace&&) noexcept = default;
  message_trace& operator=(message_trace&&) = delete;
  /// Waits for a moment until the other actors have ended, so that their ends
  /// are part of it.
  ~message_trace();

  trace_status status() const;
  /// Ends it at once, and says what there is.
  trace_status stop();

private:
  message_trace(caf::actor_system& system, trace_recorder_actor recorder,
                size_t others)
      : system_(&system), recorder_(std::move(recorder)), others_(others) {}

  trace_status tell(trace_command::kind what) const;

  caf::actor_system* system_;
  trace_recorder_actor recorder_; ///< null: moved from, or it has ended
  size_t others_;                 ///< actors that are not Troupe's
};

/// What a trace says of a process that serves `m`.
trace_options about(trace_options o, const std::string& role,
                    const std::string& file, const model& m);

} // namespace troupe
