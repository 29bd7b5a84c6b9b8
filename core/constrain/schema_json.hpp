#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "core/base/result.hpp"

namespace troupe::constrain {

/// Reads a schema's text, members in their order. invalid_argument for what is
/// no JSON, or has a name twice in one object; unsupported for more than 1 MiB,
/// 64 levels, 50,000 values or 1,000 members of one object.
result<nlohmann::ordered_json> parse_schema(std::string_view text);

} // namespace troupe::constrain
