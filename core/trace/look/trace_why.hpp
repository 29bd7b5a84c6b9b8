#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// What is known last of a request.
struct trace_why {
  enum class verdict : uint8_t {
    unknown,    ///< no message names it
    ended,      ///< its client was told
    waiting,    ///< a message of it was not handled
    lost,       ///< a message of it left, and arrived in no file here
    unanswered, ///< an actor was asked, and did not answer
    later,      ///< it waits for a timer
    no_more,    ///< its last message was handled, and nothing followed
  };
  verdict what = verdict::unknown;
  std::string sentence;          ///< for a person, plain
  uint32_t message = trace_none; ///< that it speaks of
  /// Further facts, each a sentence: all messages of it that wait, and so on.
  std::vector<std::string> facts;
};

/// Why a request does not go on, as far as files tell.
trace_why why_stuck(const trace_model& m, uint64_t request);

} // namespace troupe
