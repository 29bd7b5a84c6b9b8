#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::schema {

/// A URI reference, RFC 3986, or an IRI reference, RFC 3987, in its parts.
struct uri_parts {
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;
};

/// The parts of any text; whether they hold what they may is not looked at.
uri_parts split_uri(std::string_view text);

/// What `reference` means beside `base` (RFC 3986, section 5.2).
std::string resolve_uri(std::string_view base, std::string_view reference);

/// Undoes percent-encoding; what is no "%" and two digits stays as it is.
std::string percent_decode(std::string_view text);

} // namespace troupe::schema
