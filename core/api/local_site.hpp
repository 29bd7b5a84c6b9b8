#pragma once

#include <string_view>

namespace troupe::api {

/// Whether a Host field names this machine by a loopback address or as
/// localhost, with or without a port. A page of another site whose name was
/// made to lead here (DNS rebinding) names itself.
bool is_local_host(std::string_view host);

/// Whether a request comes from a page of this very server, or from no page.
bool is_own_origin(std::string_view origin, std::string_view host);

} // namespace troupe::api
