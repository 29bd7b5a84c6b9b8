#pragma once

#include <nlohmann/json.hpp>

#include "actors/protocol/messages.hpp"

namespace troupe {

/// As `troupe status --json` and `GET /admin/nodes` show it.
nlohmann::ordered_json to_json(const cluster_status& s);

} // namespace troupe
