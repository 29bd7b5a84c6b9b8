#pragma once

#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace troupe {

/// What came of a recording that was played again.
struct file_replay {
  uint64_t actors = 0;
  uint64_t steps = 0;
  uint64_t compared = 0; ///< messages that were sent again, and were the same
  uint64_t tokens = 0;   ///< of them, that went to clients
  /// Where it was not what was recorded; empty: nowhere.
  std::string difference;
};

/// Plays a trace again, with the files beside it (docs/trace.md). It has to
/// have contents, and the model must be where it was. Errors: io_error,
/// bad_file, unsupported.
result<file_replay> replay_file(const std::string& path);

} // namespace troupe
