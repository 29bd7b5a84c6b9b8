#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace troupe::cli {

/// In one line, with what is no UTF-8 replaced.
std::string dump(const nlohmann::ordered_json& j);

} // namespace troupe::cli
