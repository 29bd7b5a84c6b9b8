#pragma once

#include <memory>

#include "runtime/http/connection.hpp"

namespace troupe::http {

/// Has the dashboard, or what it polls, answered; false if the request is for
/// neither, or is not to have it: on the clients' port it is there only while
/// that is this machine's alone, and nobody needs a key.
bool dispatch_page(server_state& server, const std::shared_ptr<connection>& to,
                   const request& r);

/// Has a request for the admin plane answered; false if it is for none of its
/// paths.
bool dispatch_admin(server_state& server, const std::shared_ptr<connection>& to,
                    request& r);

} // namespace troupe::http
