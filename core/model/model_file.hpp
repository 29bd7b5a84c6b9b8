#pragma once

#include <string>

#include "core/base/bytes.hpp"

namespace troupe {

/// What a model was read from and its matrices point into: a GGUF file, or a
/// directory of several files.
class model_file {
public:
  virtual ~model_file() = default;

  virtual const std::string& path() const = 0;

  /// Lets go of the memory of a part, which comes back from the file if it is
  /// read again. Does nothing for what is not of a mapped file.
  virtual void release(const_bytes part) const = 0;
};

} // namespace troupe
