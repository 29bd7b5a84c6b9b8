#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace troupe::config {

/// docs/config.schema.json, as it is.
extern const std::string_view schema_text;

/// What a configuration has against that schema: a sentence without its end;
/// empty: nothing.
std::string against_schema(const nlohmann::json& document);

} // namespace troupe::config
