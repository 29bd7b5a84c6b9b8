#pragma once

#include <string>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// A file as read-only memory; pages are read when they are first touched.
/// The file must not shrink while it is mapped.
class mapped_file {
public:
  /// io_error, naming the path: what cannot be opened or mapped, is not a
  /// regular file, or is empty.
  static result<mapped_file> open(const std::string& path);

  mapped_file() = default;
  mapped_file(mapped_file&& other) noexcept;
  mapped_file& operator=(mapped_file&& other) noexcept;
  ~mapped_file();

  const_bytes bytes() const { return bytes_; }

  /// Lets go of the memory of a part; it is read again when it is touched.
  /// Nothing happens to what is not of this file.
  void release(const_bytes part) const;

private:
  explicit mapped_file(const_bytes bytes) : bytes_(bytes) {}

  const_bytes bytes_;
};

} // namespace troupe
