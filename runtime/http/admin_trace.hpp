#pragma once

#include <memory>

#include "runtime/http/connection.hpp"

namespace troupe::http {

/// Has a look at the recorded messages answered; false if the request is for
/// none of its paths. Only of the admin plane.
bool dispatch_trace(server_state& server, const std::shared_ptr<connection>& to,
                    const request& r);

} // namespace troupe::http
