#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/trace/trace_file.hpp"

namespace troupe {

/// Of indices, and of times.
inline constexpr uint32_t trace_none = ~uint32_t{0};
inline constexpr int64_t trace_never = std::numeric_limits<int64_t>::min();

/// One file of a trace; the model refers to its bytes.
struct trace_input {
  std::string name;
  const_bytes bytes;
};

/// How ticks of one process become ns since 1970.
struct trace_clock {
  uint64_t ticks = 0; ///< at the first moment
  int64_t unix_ns = 0;
  double ns_per_tick = 1;
  /// What is added so that its messages and those of others fit.
  int64_t correction_ns = 0;
  /// What makes ns since 1970 of the clock of its actors, uncorrected.
  int64_t unix_minus_steady_ns = 0;

  int64_t to_ns(uint64_t t) const {
    auto d = static_cast<double>(static_cast<int64_t>(t - ticks)) * ns_per_tick;
    return add(add(unix_ns, correction_ns), bounded(d));
  }
  /// Without overflow: files may say anything.
  static int64_t add(int64_t a, int64_t b) {
    int64_t c = 0;
    if (__builtin_add_overflow(a, b, &c))
      c = a < 0 ? trace_never + 1 : std::numeric_limits<int64_t>::max();
    return c;
  }
  static int64_t bounded(double d) {
    return d > 9e18    ? int64_t{9'000'000'000'000'000'000}
           : d < -9e18 ? -int64_t{9'000'000'000'000'000'000}
                       : static_cast<int64_t>(d);
  }
};

struct trace_process {
  uint64_t id = 0;      ///< drawn for its life
  uint32_t flags = 0;   ///< trace_flag
  uint64_t dropped = 0; ///< records that it lost while it recorded
  std::vector<std::pair<std::string_view, std::string_view>> about;
  trace_clock clock;
  std::vector<uint32_t> files; ///< indices of inputs, oldest first

  /// What it says of itself under that name; empty: nothing.
  std::string_view says(std::string_view key) const;
};

struct trace_actor {
  std::string_view name;      ///< of its kind; empty: the files do not say
  uint32_t node = trace_none; ///< in `trace_model::nodes`
  uint64_t number = 0;        ///< CAF's, in its node
  /// Which recorded it; `trace_none`: it is only known from messages.
  uint32_t process = trace_none;
  uint32_t cause = trace_none; ///< message whose handling spawned it
  int64_t born_ns = trace_never;
  int64_t ended_ns = trace_never;
  const_bytes payload; ///< what it was spawned with, if recorded
};

enum trace_message_flag : uint16_t {
  trace_is_init = 1,    ///< no message: an actor set itself up
  trace_is_cleanup = 2, ///< no message: an actor ended
  trace_departed = 4,   ///< its departure is known, by the sender's process
  trace_arrived = 8,    ///< its arrival is known
  trace_is_handled = 16,
  trace_is_timer = 32, ///< for later, by the sender's wish
  /// It is marked as one that left, but that is in no file here.
  trace_lost_departure = 64,
  /// Only its handling is known.
  trace_lost_arrival = 128,
  /// The handling that sent it is in no file: it was not over when the trace
  /// ended, or was lost.
  trace_lost_cause = 256,
  /// Its cause follows from its message ID alone: an answer from another
  /// process, which no mark came with. `left_ns` is then a guess.
  trace_inferred = 512,
  trace_payload_whole = 1024,  ///< in `payload`
  trace_payload_digest = 2048, ///< of it: it was too large
};

/// A message, from where it was sent to where it was handled; also what an
/// actor did at its beginning and its end. Numbers in all of these are those of
/// a `trace_model`.
struct trace_message {
  // ns since 1970 by all clocks together; `trace_never`: unknown.
  int64_t left_ns = trace_never; ///< sent; as `arrived_ns` within a process
  int64_t arrived_ns = trace_never;
  int64_t begun_ns = trace_never;
  int64_t ended_ns = trace_never;
  uint64_t mid = 0;
  uint64_t request = 0;  ///< 0: of none, or of several
  uint64_t handling = 0; ///< its number in its process; 0: it was not handled
  uint64_t delay_ns = 0; ///< of a timer
  const_bytes payload;
  const_bytes notes; ///< of its handling
  uint32_t sender = trace_none;
  uint32_t receiver = trace_none;
  uint32_t type = trace_none;  ///< in `trace_model::types`
  uint32_t bytes = 0;          ///< in memory, about
  uint32_t cause = trace_none; ///< message whose handling sent it
  /// That recorded its arrival, or only its departure.
  uint16_t process = 0;
  uint16_t flags = 0; ///< trace_message_flag

  bool is(uint16_t flag) const { return (flags & flag) != 0; }
  bool is_pseudo() const { return is(trace_is_init | trace_is_cleanup); }
  /// From when it was sent to its end, as far as known.
  int64_t last_ns() const;
  int64_t wire_ns() const;     ///< from departure to arrival; 0: unknown
  int64_t queueing_ns() const; ///< in the mailbox; 0: unknown
  int64_t handling_ns() const; ///< 0: unknown
};

/// What all files of a trace say together. Refers to their bytes.
struct trace_model {
  std::vector<trace_process> processes;
  std::vector<std::string> nodes; ///< actor systems
  std::vector<std::string> types; ///< of messages
  std::vector<trace_actor> actors;
  /// In the order in which they were sent; those sent in one handling are in
  /// the order in which it sent them.
  std::vector<trace_message> messages;
  /// Of each process: what it handled, init and cleanup too, in the order in
  /// which that began.
  std::vector<std::vector<uint32_t>> handlings;
  /// By input: what is wrong with it.
  std::vector<std::vector<trace_finding>> findings;

  bool damaged() const;
  /// The first and the last known time; 0 and 0 of nothing.
  int64_t begin_ns() const;
  int64_t end_ns() const;

  /// "name#number"; "nobody" for `trace_none`.
  std::string actor_name(uint32_t actor) const;
  /// In a mailbox when the trace ended, of an actor that is recorded.
  bool is_waiting(const trace_message& m) const;

  /// The type's name without "troupe::"; "init", "cleanup", "?".
  std::string_view type_name(const trace_message& m) const;
};

/// Hears how many bytes of all were read; may be null.
using trace_progress = std::function<void(uint64_t done, uint64_t all)>;

/// Reads files of one or several processes, in any order. What is damaged is
/// in `findings`; whatever can be read is there. Files of one process that are
/// given twice count once.
trace_model read_trace(std::span<const trace_input> files,
                       const trace_progress& progress = {});

} // namespace troupe
