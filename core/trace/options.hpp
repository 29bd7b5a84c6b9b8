#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// How the messages of a process are recorded (docs/trace.md).
struct trace_options {
  std::string file;
  /// Nothing is, before somebody asks for it.
  bool wait = false;
  /// Contents of messages too, and all else that replays need.
  bool payloads = false;
  /// KV is part of them, not only its digest.
  bool full_kv = false;
  uint64_t max_bytes = uint64_t{1} << 30; ///< of all files
  uint32_t files = 4;                     ///< that take turns
  /// Records that a thread keeps until they are written, in bytes.
  size_t ring_bytes = size_t{16} << 20;
  /// What the trace says of the process.
  std::vector<std::pair<std::string, std::string>> about = {};
  /// Hears of what goes wrong; may be null. Must not block.
  std::function<void(const std::string&)> log = {};
};

} // namespace troupe
