#pragma once

#include <nlohmann/json.hpp>

#include "actors/protocol/messages.hpp"
#include "core/serving/rate_limiter_limits.hpp"

namespace troupe::http {

// What the admin plane shows beside nodes (docs/http.md).

nlohmann::json to_json(const versions_status& s);
nlohmann::json to_json(const std::vector<organisation_status>& all);
nlohmann::json to_json(const stage_latencies& all);

/// What the actors of this process have done since it began, by kind.
nlohmann::json actors_json();

/// With what is not UTF-8 replaced.
std::string dump(const nlohmann::json& j);

} // namespace troupe::http
