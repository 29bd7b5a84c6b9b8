#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/trace/format.hpp"

namespace troupe {

struct trace_writer_options {
  std::string file;
  uint64_t process = 0;
  uint32_t flags = 0; ///< trace_flag
  /// Of all files together, about; one record may be more than a file.
  uint64_t max_bytes = uint64_t{1} << 30;
  /// FILE, FILE.1, FILE.2 … the higher the older; the oldest goes.
  uint32_t files = 4;
};

/// Writes a trace to files that take turns. Each can be read alone: what is
/// known of types, nodes and actors that live stands first in it.
class trace_writer {
public:
  /// Replaces a file of that name, and removes those that it would turn over.
  /// Errors: io_error, with the file's name.
  static result<trace_writer> open(trace_writer_options options);

  trace_writer(trace_writer&& other) noexcept;
  trace_writer& operator=(trace_writer&&) = delete;
  ~trace_writer();

  /// Whole records, in chunks. Errors: io_error; then what was not written is
  /// lost, and the file ends in a chunk that is not whole.
  result<void> write(const_bytes records, const trace_moment& moment,
                     uint64_t dropped);

  const std::string& file() const { return options_.file; }
  uint64_t bytes() const { return bytes_; }

private:
  explicit trace_writer(trace_writer_options options)
      : options_(std::move(options)) {}

  result<void> begin_file(const trace_moment& moment);
  result<void> rotate(const trace_moment& moment);
  result<void> put_chunk(const_bytes records, const trace_moment& moment);
  result<void> put(const_bytes bytes);
  void remember(const_bytes records);

  trace_writer_options options_;
  int fd_ = -1;
  uint32_t number_ = 0; ///< of the file
  uint64_t chunk_ = 0;
  uint64_t in_file_ = 0;
  uint64_t bytes_ = 0;
  uint64_t dropped_ = 0;
  raw_bytes texts_; ///< about, types, nodes
  std::map<std::pair<uint32_t, uint64_t>, raw_bytes> alive_; ///< actors
};

} // namespace troupe
