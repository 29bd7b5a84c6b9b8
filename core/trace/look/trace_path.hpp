#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// What took time on the way to a message, at one actor: a message comes, waits
/// in the mailbox, is handled until it causes the next one. Repeated hops are
/// one row.
struct trace_hop {
  uint32_t actor = trace_none; ///< where
  std::string type;            ///< of the message that came
  uint32_t message = 0;        ///< the first of them
  uint64_t times = 1;
  int64_t wire_ns = 0;  ///< until it arrived
  int64_t queue_ns = 0; ///< in the mailbox
  int64_t handling_ns = 0;
  /// From the end of its handling until the actor sent what is next: it kept
  /// the request, and went on with it later.
  int64_t held_ns = 0;

  int64_t whole_ns() const {
    return wire_ns + queue_ns + handling_ns + held_ns;
  }
};

/// Where the time of a request went until a message of it arrived. The hops'
/// times sum up to `whole_ns` exactly.
struct trace_path {
  uint32_t target = trace_none; ///< the message; none: there is none
  int64_t begin_ns = 0;         ///< the request's first message left
  int64_t whole_ns = 0;
  std::vector<trace_hop> hops; ///< in order of time
};

/// The critical path to a message of a request: from what caused it back to the
/// request's first message. Where an actor was busy with something else, a step
/// that several requests share, the way goes on with what it last got of this
/// request.
trace_path critical_path(const trace_model& m, uint64_t request,
                         uint32_t target);

/// The message that brought the first token to a client, and the one that
/// brought the end; `trace_none`: there is none.
uint32_t first_token_of(const trace_model& m, uint64_t request);
uint32_t end_of(const trace_model& m, uint64_t request);

/// As a table for people, that sums up; empty without a target.
std::string to_text(const trace_path& p, const trace_model& m);

/// As one JSON object, in a line.
std::string to_json(const trace_path& p, const trace_model& m);

} // namespace troupe
