#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// A tensor as the header of a safetensors file describes it: nothing of it is
/// checked but that all parts are there.
struct safetensors_entry {
  std::string name;
  std::string type;
  std::vector<uint64_t> shape;
  uint64_t begin = 0; ///< of the data, from its start
  uint64_t end = 0;
};

struct safetensors_header {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<safetensors_entry> entries; ///< in the order of the text
};

/// Parses the JSON text of a header. bad_file, with the reason alone, if it is
/// anything but one object of tensors and texts. What it allocates is a small
/// multiple of the text.
result<safetensors_header> parse_safetensors_header(const_bytes text);

} // namespace troupe
