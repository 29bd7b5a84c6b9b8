#pragma once

#include <memory>

#include "runtime/http/connection.hpp"
#include "runtime/http/message.hpp"
#include "runtime/http/state.hpp"

namespace troupe::http {

/// What metrics call a path: a literal.
std::string_view endpoint_of(std::string_view path);

/// Has a request whose sender was let in answered: at once, or later, by what
/// `to` is given to hold.
void dispatch(server_state& server, std::shared_ptr<connection> to, request r);

} // namespace troupe::http
