#pragma once

#include <string>
#include <string_view>

#include "core/api/api_error.hpp"
#include "core/base/time.hpp"
#include "core/observe/traceparent.hpp"
#include "runtime/api_key.hpp"

namespace troupe::http {

/// Which port a request came to: that of clients, or of operators.
enum class plane : uint8_t { api, admin };

/// One request, whole.
struct request {
  std::string method; ///< HEAD counts as GET
  std::string path;   ///< of the target, without its query
  std::string body;
  std::string id; ///< the client's x-request-id, or the server's
  time_point started;
  std::string content_type; ///< that header, as it came
  plane from = plane::api;
  /// Comes by this machine's own name, from no other site's page.
  bool at_home = false;
  /// Who asks; null: anybody.
  const api_key* who = nullptr;
  /// The trace of the client's that it is part of.
  std::optional<trace_origin> trace;
};

/// An answer that is sent at once.
struct response {
  int status = 200;
  std::string body;
  std::string_view type = "application/json"; ///< a literal
  std::string_view allow{};                   ///< methods; with status 405
};

inline response to_response(const api::api_error& e) {
  return {e.status, api::to_json(e)};
}

} // namespace troupe::http
