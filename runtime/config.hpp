#pragma once

#include <string>

#include "runtime/runtime.hpp"

namespace troupe {

/// Reads a runtime's options from a JSON file; docs/config.md has the keys,
/// which all may be left out. Errors name the file and the key, and for one
/// that is not known the nearest that is: io_error, bad_file.
result<runtime_options> read_config(const std::string& path);

/// The JSON text itself; `name` stands for the file in errors.
result<runtime_options> parse_config(const std::string& text,
                                     const std::string& name);

} // namespace troupe
