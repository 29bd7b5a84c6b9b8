#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe::schema {

/// What a string may be, as `format` names it.
enum class format_kind : uint8_t {
  date_time,
  date,
  time,
  duration,
  email,
  idn_email,
  hostname,
  idn_hostname,
  ipv4,
  ipv6,
  uri,
  uri_reference,
  iri,
  iri_reference,
  uuid,
  uri_template,
  json_pointer,
  relative_json_pointer,
  regex,
};

std::optional<format_kind> format_named(std::string_view name);

/// As in "should be a date"; the article is in it.
std::string_view described(format_kind kind);

/// Whether a text is one of these. REQUIRES: it is UTF-8.
bool has_format(std::string_view text, format_kind kind);

// -- one each -----------------------------------------------------------------

bool is_date_time(std::string_view s); ///< RFC 3339, section 5.6
bool is_date(std::string_view s);
bool is_time(std::string_view s);
bool is_duration(std::string_view s);                  ///< RFC 3339, appendix A
bool is_email(std::string_view s, bool international); ///< RFC 5321, 6531
bool is_hostname(std::string_view s, bool international); ///< RFC 1123, 5890
bool is_ipv4(std::string_view s); ///< RFC 2673, section 3.2
bool is_ipv6(std::string_view s); ///< RFC 4291, section 2.2
bool is_uri(std::string_view s, bool international, bool may_be_relative);
bool is_uuid(std::string_view s);         ///< RFC 4122
bool is_uri_template(std::string_view s); ///< RFC 6570
bool is_json_pointer(std::string_view s); ///< RFC 6901
bool is_relative_json_pointer(std::string_view s);

} // namespace troupe::schema
