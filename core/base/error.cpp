#include "core/base/error.hpp"

namespace troupe {

std::string_view to_string(errc code) {
  switch (code) {
  case errc::none:
    return "none";
  case errc::invalid_argument:
    return "invalid_argument";
  case errc::io_error:
    return "io_error";
  case errc::bad_file:
    return "bad_file";
  case errc::unsupported:
    return "unsupported";
  case errc::context_exceeded:
    return "context_exceeded";
  case errc::no_free_blocks:
    return "no_free_blocks";
  case errc::unknown_sequence:
    return "unknown_sequence";
  case errc::abandoned:
    return "abandoned";
  case errc::cancelled:
    return "cancelled";
  case errc::no_node:
    return "no_node";
  case errc::stale_epoch:
    return "stale_epoch";
  case errc::digest_mismatch:
    return "digest_mismatch";
  case errc::layout_mismatch:
    return "layout_mismatch";
  case errc::timeout:
    return "timeout";
  case errc::overloaded:
    return "overloaded";
  }
  return "unknown";
}

std::string to_string(const error& e) {
  auto s = std::string{to_string(e.code)};
  if (!e.message.empty())
    s += ": " + e.message;
  return s;
}

bool may_pass(errc code) {
  switch (code) {
  case errc::none:
  case errc::invalid_argument:
  case errc::io_error:
  case errc::bad_file:
  case errc::unsupported:
  case errc::context_exceeded:
    return false;
  case errc::no_free_blocks:
  case errc::unknown_sequence:
  case errc::abandoned:
  case errc::cancelled:
  case errc::no_node:
  case errc::stale_epoch:
  case errc::digest_mismatch:
  case errc::layout_mismatch:
  case errc::timeout:
  case errc::overloaded:
    return true;
  }
  return false;
}

} // namespace troupe
