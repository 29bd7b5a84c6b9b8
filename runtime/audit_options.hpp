#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace troupe {

/// Where a process keeps the record of its decisions.
struct audit_options {
  /// The log's first file; the others are FILE.1, FILE.2, …
  std::string file;
  /// Signs it. Empty: FILE.key, which a log that is begun gets if there is
  /// none.
  std::string key;
  /// Where checkpoints are told as well: a file, or "http://HOST[:PORT]/PATH".
  /// Empty: nowhere.
  std::string anchor;
  /// Prompts and answers are recorded in clear, and not only their digests.
  bool texts = false;
  /// Requests whose records the disk refuses are served all the same.
  bool go_on_when_full = false;
  /// A file that has so many bytes is followed by another one.
  uint64_t file_bytes = uint64_t{256} << 20;
  /// Hears what an operator should know; may be null.
  std::function<void(const std::string&)> log;
};

} // namespace troupe
