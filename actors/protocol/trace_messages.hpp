#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace troupe {

// What is said to whoever records messages.

/// What the recorder shall do.
struct trace_command {
  enum class kind : uint8_t {
    status,
    flush, ///< write all that there is so far
    stop,  ///< the same, and then no more
  };
  kind what = kind::status;
  auto fields() { return std::tie(what); }
};

struct trace_status {
  bool recording = false;
  std::string file;
  uint64_t bytes = 0;   ///< written, in all files
  uint64_t dropped = 0; ///< records that were lost
  std::string failure;  ///< why it records no more; empty: nothing is wrong
  auto fields() { return std::tie(recording, file, bytes, dropped, failure); }
};

} // namespace troupe
