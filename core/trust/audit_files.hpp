#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// A file that grows. After a failed call its end holds anything, until it is
/// cut.
class audit_file {
public:
  virtual ~audit_file() = default;
  /// io_error
  virtual result<void> append(const_bytes bytes) = 0;
  /// Returns once all of it is where a loss of power does not reach it.
  /// io_error
  virtual result<void> sync() = 0;
  /// Cuts what is beyond `size`, and syncs. io_error
  virtual result<void> cut(uint64_t size) = 0;
};

/// A file's bytes, kept as long as this.
struct audit_bytes {
  std::shared_ptr<const void> owner;
  const_bytes bytes;
};

/// The files of one log, numbered from 0.
class audit_folder {
public:
  virtual ~audit_folder() = default;
  /// How many there are.
  virtual result<uint32_t> segments() = 0;
  /// io_error
  virtual result<audit_bytes> read(uint32_t segment) = 0;
  /// A new one, or an empty one in the place of one that was begun and not
  /// finished. Its name is durable. io_error
  virtual result<std::unique_ptr<audit_file>> create(uint32_t segment) = 0;
  /// To go on with it. io_error
  virtual result<std::unique_ptr<audit_file>> open(uint32_t segment) = 0;
  virtual std::string name(uint32_t segment) const = 0;
};

/// The log whose first file is `path`; the next ones are `path`.1, `path`.2,
/// and so on. One process at a time, as long as the folder lives: io_error for
/// others.
result<std::unique_ptr<audit_folder>>
open_audit_folder(const std::string& path);

/// `path` for 0, `path`.N for others.
std::string audit_segment_name(const std::string& path, uint32_t segment);

/// To be read. A file that grows meanwhile has the size that it had; one must
/// not become shorter. io_error
result<audit_bytes> map_audit_file(const std::string& path);

} // namespace troupe
