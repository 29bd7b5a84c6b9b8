#pragma once

#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace troupe::api {

/// What a client is told in place of an answer.
struct api_error {
  int status = 400; ///< of HTTP
  std::string message;
  std::string param; ///< of the request, if it is one's fault
  std::string code;  ///< for programs; may be empty
};

/// The status that core/base/error.hpp gives a code.
int http_status(errc code);

/// An error of the runtime. `param` is blamed if the request is at fault.
api_error api_error_of(const error& e, std::string_view param = {});

/// In OpenAI's shape: {"error": {message, type, param, code}}.
std::string to_json(const api_error& e);

} // namespace troupe::api
