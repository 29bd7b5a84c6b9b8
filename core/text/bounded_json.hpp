#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace troupe {

/// What a JSON text may be at most, so that a file cannot ask for more memory
/// than a small multiple of its size, or for more stack than there is. The
/// largest tokenizers have 35 MB and 2 million values.
struct json_bounds {
  size_t bytes = size_t{96} << 20;
  size_t depth = 64; ///< objects and arrays within each other
  size_t values = size_t{12} << 20;
};

/// Parses a file that holds one JSON object; of a key that is repeated the
/// last value counts. "NAME: reason": bad_file, unsupported for what is beyond
/// the bounds.
result<nlohmann::json> parse_object(std::string_view text,
                                    const std::string& name,
                                    const json_bounds& bounds = {});

/// The member `key`, or null: also if `object` is no object.
const nlohmann::json& member(const nlohmann::json& object, const char* key);

/// A member that is a string, or `otherwise`.
std::string string_of(const nlohmann::json& object, const char* key,
                      std::string otherwise = {});

/// A member that is a flag, or `otherwise`.
bool flag_of(const nlohmann::json& object, const char* key, bool otherwise);

/// An integer in 0 to `most`, or -1.
int64_t integer_of(const nlohmann::json& value, int64_t most);

} // namespace troupe
