#pragma once

#include <string>

#include "core/serving/rate_limiter_limits.hpp"

namespace troupe::http {

/// x-ratelimit-limit-, -remaining- and -reset- for requests, input-tokens and
/// output-tokens, each with its line end; nothing for what is not limited.
std::string limit_headers(const limits_status& s);

} // namespace troupe::http
