#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/trace/format.hpp"

namespace troupe {

/// One of the files of a trace that is being written, open: it stays the same
/// one while names are passed on, FILE to FILE.1 and so on.
class trace_part {
public:
  /// Nothing if there is no regular file of that name, or it has no header yet.
  static std::optional<trace_part> open(const std::string& name);

  trace_part(trace_part&& other) noexcept;
  trace_part& operator=(trace_part&& other) noexcept;
  ~trace_part();

  const trace_file_header& header() const { return header_; }
  /// When it was opened.
  uint64_t size() const { return size_; }

  /// Bytes from `at`, at most `n`; fewer where the file ends.
  std::vector<std::byte> read(uint64_t at, uint64_t n) const;

  /// All bytes that there were when it was opened, as long as this lives. Only
  /// for files that nobody cuts short.
  const_bytes map();

private:
  explicit trace_part(int fd) : fd_(fd) {}

  int fd_ = -1;
  uint64_t size_ = 0;
  trace_file_header header_ = {};
  const_bytes mapped_;
};

/// What there is of FILE, FILE.1, FILE.2 … of the process that writes now, the
/// newest first.
std::vector<trace_part> open_trace_parts(const std::string& file);

/// `file` and those that gave way to it, FILE.1, FILE.2 and so on, as far as
/// they are there one after the other.
std::vector<std::string> names_of_trace(const std::string& file);

} // namespace troupe
