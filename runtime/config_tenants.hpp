#pragma once

#include <vector>

#include "core/serving/rate_limiter_limits.hpp"
#include "runtime/api_key.hpp"
#include "runtime/config_section.hpp"

namespace troupe::config {

/// The key "tenants" of a configuration.
void read_tenants(section& s, limits_table& to);

/// The key "keys", an array. Complaints are those of `s`.
void read_keys(section& s, const nlohmann::json& j, std::vector<api_key>& to);

} // namespace troupe::config
