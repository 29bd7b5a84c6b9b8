#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace troupe {

/// Parses the JSON object that a file holds, with bounds of its size, depth
/// and number of values. bad_file: "NAME: reason".
result<nlohmann::json> parse_object(std::string_view text,
                                    const std::string& name);

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
