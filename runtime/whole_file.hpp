#pragma once

#include <cstddef>
#include <string>

#include "core/base/result.hpp"

namespace troupe {

/// Errors: io_error, with the path; also if there is more than `most`.
result<std::string> read_whole_file(const std::string& path, size_t most);

/// Puts `text` in the file's place, in one step: whatever happens, there is the
/// former file or this one, which is on the disk then. Errors: io_error, with
/// the path.
result<void> replace_file(const std::string& path, const std::string& text);

} // namespace troupe
