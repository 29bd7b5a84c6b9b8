#pragma once

#include <cstdint>
#include <string>

#include "core/base/result.hpp"

namespace troupe {

// Of a model: a GGUF file, or a Hugging Face directory.

/// The file's name without its ending, or the folder's.
std::string model_name_of(const std::string& path);

/// As it is wherever the process that reads it runs.
std::string absolute_path(const std::string& path);

/// The bundled one: $TROUPE_MODEL, or troupe-demo.gguf of the build or the
/// installation that this program belongs to, or the one of the current folder.
std::string default_model();

/// Of the model's files. Errors: io_error.
result<uint64_t> bytes_of_model(const std::string& path);

} // namespace troupe
