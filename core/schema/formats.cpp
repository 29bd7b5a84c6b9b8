#include "core/schema/formats.hpp"

#include <algorithm>
#include <array>

#include "core/base/error.hpp"
#include "core/schema/pattern.hpp"

namespace troupe::schema {

namespace {

struct named_format {
  std::string_view name;
  std::string_view what;
};

// In the order of `format_kind`.
constexpr auto formats = std::array{
    named_format{"date-time", "a date and time (RFC 3339)"},
    named_format{"date", "a date as 2024-02-29"},
    named_format{"time", "a time with its offset (RFC 3339)"},
    named_format{"duration", "a duration as P1DT12H"},
    named_format{"email", "an e-mail address"},
    named_format{"idn-email", "an e-mail address"},
    named_format{"hostname", "a host name"},
    named_format{"idn-hostname", "a host name"},
    named_format{"ipv4", "an IPv4 address"},
    named_format{"ipv6", "an IPv6 address"},
    named_format{"uri", "a URI with its scheme"},
    named_format{"uri-reference", "a URI reference"},
    named_format{"iri", "an IRI with its scheme"},
    named_format{"iri-reference", "an IRI reference"},
    named_format{"uuid", "a UUID"},
    named_format{"uri-template", "a URI template (RFC 6570)"},
    named_format{"json-pointer", "a JSON Pointer"},
    named_format{"relative-json-pointer", "a relative JSON Pointer"},
    named_format{"regex", "a regular expression of ECMA-262"},
};

} // namespace

std::optional<format_kind> format_named(std::string_view name) {
  for (size_t i = 0; i < formats.size(); ++i)
    if (formats[i].name == name)
      return static_cast<format_kind>(i);
  return {};
}

std::string_view described(format_kind kind) {
  return formats[static_cast<size_t>(kind)].what;
}

bool has_format(std::string_view s, format_kind kind) {
  using enum format_kind;
  switch (kind) {
  case date_time:
    return is_date_time(s);
  case date:
    return is_date(s);
  case time:
    return is_time(s);
  case duration:
    return is_duration(s);
  case email:
    return is_email(s, false);
  case idn_email:
    return is_email(s, true);
  case hostname:
    return is_hostname(s, false);
  case idn_hostname:
    return is_hostname(s, true);
  case ipv4:
    return is_ipv4(s);
  case ipv6:
    return is_ipv6(s);
  case uri:
    return is_uri(s, false, false);
  case uri_reference:
    return is_uri(s, false, true);
  case iri:
    return is_uri(s, true, false);
  case iri_reference:
    return is_uri(s, true, true);
  case uuid:
    return is_uuid(s);
  case uri_template:
    return is_uri_template(s);
  case json_pointer:
    return is_json_pointer(s);
  case relative_json_pointer:
    return is_relative_json_pointer(s);
  case regex:
    break;
  }
  // One that needs more than linear time is one, too.
  auto p = translate_pattern(s);
  return p || p.failure().code == errc::unsupported;
}

} // namespace troupe::schema
