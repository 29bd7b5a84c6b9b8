#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/trace/trace_model.hpp"

namespace troupe {

/// The newest part of a trace that is being written, in memory of its own.
struct recent_trace {
  std::vector<std::vector<std::byte>> files; ///< the newest first
  uint64_t bytes = 0;                        ///< that were read
  uint64_t left_out = 0; ///< older bytes of the trace's files

  /// For `read_trace`; they refer to `files`.
  std::vector<trace_input> inputs() const;
};

/// Reads no more than `most` bytes, of FILE first, then FILE.1 and so on. Of a
/// file that is too large it takes the end, and the names that its beginning
/// tells. Nothing if nothing is there.
recent_trace read_recent_trace(const std::string& file, uint64_t most);

} // namespace troupe
