#pragma once

#include <string>

#include "core/base/result.hpp"

namespace troupe {

/// Where something is at, over HTTP without encryption.
struct http_address {
  std::string host;
  std::string port;
  std::string path; ///< without a slash at its end
};

/// Reads "http://HOST[:PORT][/PATH]". Errors: invalid_argument.
result<http_address> parse_http_address(const std::string& url);

} // namespace troupe
