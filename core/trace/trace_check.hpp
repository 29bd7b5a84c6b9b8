#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// Whether a trace hangs together, in numbers of messages.
struct trace_check {
  uint64_t messages = 0; ///< without inits and cleanups
  uint64_t handled = 0;
  uint64_t caused = 0;   ///< by another one
  uint64_t outside = 0;  ///< roots: who sent them was no actor that is recorded
  uint64_t inferred = 0; ///< caused, by their message IDs

  // What is not known, which is no fault of a trace that was ended, or of which
  // not all files are here.
  uint64_t lost_departures = 0;
  uint64_t lost_causes = 0;
  uint64_t lost_arrivals = 0;
  uint64_t unhandled = 0;   ///< in a mailbox when the trace ended
  uint64_t to_outside = 0;  ///< for actors that are not recorded
  uint64_t undelivered = 0; ///< they left, and arrived in no file here
  uint64_t pending_timers = 0;
  uint64_t dropped = 0; ///< records, by recorders

  // What must not be.
  uint64_t cycles = 0;   ///< messages that are their own ancestors
  uint64_t early = 0;    ///< before what caused them, or before they left
  int64_t early_ns = 0;  ///< by how much, at most
  uint64_t findings = 0; ///< in files

  /// Nothing is damaged, lost by recorders, or contradicts itself.
  bool good() const {
    return dropped == 0 && cycles == 0 && early == 0 && findings == 0;
  }
};

/// By how much clocks may differ: those of threads of a process, and those of
/// processes where no mark tells.
struct trace_tolerance {
  int64_t within_ns = 1'000;
  int64_t between_ns = 1'000'000;
};

trace_check check_trace(const trace_model& m, const trace_tolerance& t = {});

/// The messages of a request and all that led to them, in order. Also where
/// causes go round, each is there once.
std::vector<uint32_t> causal_tree(const trace_model& m, uint64_t request);

/// A message and what led to it, the message first. Ends where causes would go
/// round.
std::vector<uint32_t> causes_of(const trace_model& m, uint32_t message);

/// All requests that messages name, ascending.
std::vector<uint64_t> requests_of(const trace_model& m);

} // namespace troupe
