#include "core/api/api_error.hpp"

#include "core/api/json_text.hpp"

namespace troupe::api {

namespace {

std::string_view type_of(int status) {
  if (status == 429)
    return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

void append_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    append_json_string(out, text);
}

} // namespace

int http_status(errc code) {
  switch (code) {
  case errc::none:
    return 200;
  case errc::invalid_argument:
  case errc::context_exceeded:
    return 400;
  case errc::io_error:
  case errc::bad_file:
    return 500;
  case errc::unsupported:
    return 501;
  case errc::no_free_blocks:
  case errc::no_node:
    return 503;
  case errc::unknown_sequence:
    return 404;
  case errc::abandoned:
  case errc::digest_mismatch:
    return 502;
  case errc::cancelled:
    return 499;
  case errc::stale_epoch:
  case errc::layout_mismatch:
    return 409;
  case errc::timeout:
    return 504;
  case errc::overloaded:
    return 429;
  }
  return 500;
}

api_error api_error_of(const error& e, std::string_view param) {
  auto x = api_error{http_status(e.code), e.message, {}, {}};
  if (x.status == 400)
    x.param = param;
  x.code = e.code == errc::context_exceeded ? "context_length_exceeded"
                                            : to_string(e.code);
  return x;
}

std::string to_json(const api_error& e) {
  auto out = std::string{R"({"error":{"message":)"};
  append_json_string(out, e.message);
  out += R"(,"type":)";
  append_json_string(out, type_of(e.status));
  out += R"(,"param":)";
  append_or_null(out, e.param);
  out += R"(,"code":)";
  append_or_null(out, e.code);
  out += "}}";
  return out;
}

} // namespace troupe::api
