#pragma once

#include <atomic>
#include <chrono>
#include <string>

#include "runtime/http_address.hpp"

namespace troupe {

/// Posts `body` as JSON, and waits for a status of 2xx: for `most` at most, and
/// not once `over` says so, which any thread may set; but a name that is being
/// looked up is waited for. Errors: io_error, timeout; invalid_argument if the
/// same would be refused again.
result<void> post_json(const http_address& to, const std::string& path,
                       const std::string& body, std::chrono::milliseconds most,
                       const std::atomic<bool>& over);

} // namespace troupe
