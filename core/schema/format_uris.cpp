#include <algorithm>

#include "core/schema/char_kinds.hpp"
#include "core/schema/formats.hpp"
#include "core/schema/uri_reference.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

namespace {

constexpr auto marks_of_parts = std::string_view{"-._~!$&'()*+,;="};

// RFC 3987's ucschar.
bool is_international_char(char32_t c) {
  if (c < 0xa0 || (c >= 0xd800 && c < 0xf900))
    return false;
  if (c >= 0xfdd0 && c <= 0xfdef)
    return false;
  if (c >= 0xfff0 && c <= 0xffff)
    return false;
  return c < 0xe0000 ? (c & 0xffff) <= 0xfffd : c >= 0xe1000 && c <= 0xefffd;
}

bool is_private_char(char32_t c) {
  return (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xf0000 && c <= 0xffffd)
         || (c >= 0x100000 && c <= 0x10fffd);
}

struct char_rules {
  std::string_view more;      ///< beyond unreserved and sub-delims
  bool international = false; ///< an IRI
  bool in_query = false;      ///< characters for private use are allowed
};

bool all_allowed(std::string_view s, const char_rules& rules) {
  auto* end = s.data() + s.size();
  for (auto* p = s.data(); p != end;) {
    auto* start = p;
    auto c = take_code_point(p);
    if (c >= 0x80) {
      if (!rules.international
          || !(is_international_char(c)
               || (rules.in_query && is_private_char(c))))
        return false;
      continue;
    }
    auto a = *start;
    if (is_letter(a) || is_digit(a) || is_one_of(a, marks_of_parts)
        || is_one_of(a, rules.more))
      continue;
    if (!is_percent_encoded(s, static_cast<size_t>(start - s.data())))
      return false;
    p += 2;
  }
  return true;
}

// "v", digits, a dot, and more (RFC 3986, section 3.2.2).
bool is_future_address(std::string_view s) {
  if (s.size() < 4 || (s[0] | 0x20) != 'v')
    return false;
  auto dot = s.find('.');
  return dot != std::string_view::npos && dot > 1 && dot + 1 < s.size()
         && std::all_of(s.begin() + 1, s.begin() + static_cast<long>(dot),
                        [](char c) { return hex_value(c) >= 0; })
         && s.find('%') == std::string_view::npos
         && all_allowed(s.substr(dot + 1), {":"});
}

bool is_authority(std::string_view s, bool international) {
  if (auto at = s.find('@'); at != std::string_view::npos) {
    if (!all_allowed(s.substr(0, at), {":", international}))
      return false;
    s.remove_prefix(at + 1);
  }
  auto host = s;
  if (s.starts_with('[')) {
    auto close = s.find(']');
    if (close == std::string_view::npos)
      return false;
    host = s.substr(1, close - 1);
    if (!is_ipv6(host) && !is_future_address(host))
      return false;
    s.remove_prefix(close + 1);
  } else {
    auto colon = std::min(s.find(':'), s.size());
    if (!all_allowed(s.substr(0, colon), {"", international}))
      return false;
    s.remove_prefix(colon);
  }
  return s.empty()
         || (s.front() == ':' && std::all_of(s.begin() + 1, s.end(), is_digit));
}

// -- templates ----------------------------------------------------------------

bool is_variable_name(std::string_view s) {
  auto after_dot = true;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '.') {
      if (after_dot)
        return false;
      after_dot = true;
      continue;
    }
    after_dot = false;
    if (is_percent_encoded(s, i))
      i += 2;
    else if (!is_letter(s[i]) && !is_digit(s[i]) && s[i] != '_')
      return false;
  }
  return !after_dot;
}

bool is_variable(std::string_view s) {
  if (s.ends_with('*'))
    return is_variable_name(s.substr(0, s.size() - 1));
  auto colon = s.find(':');
  if (colon == std::string_view::npos)
    return is_variable_name(s);
  auto size = s.substr(colon + 1);
  return is_variable_name(s.substr(0, colon)) && !size.empty()
         && size.size() <= 4 && size.front() != '0'
         && std::all_of(size.begin(), size.end(), is_digit);
}

bool is_expression(std::string_view s) {
  if (!s.empty() && is_one_of(s.front(), "+#./;?&"))
    s.remove_prefix(1);
  for (;;) {
    auto comma = s.find(',');
    if (!is_variable(s.substr(0, comma)))
      return false;
    if (comma == std::string_view::npos)
      return true;
    s.remove_prefix(comma + 1);
  }
}

bool is_template_literal(std::string_view s) {
  auto* end = s.data() + s.size();
  for (auto* p = s.data(); p != end;) {
    auto i = static_cast<size_t>(p - s.data());
    auto c = take_code_point(p);
    if (c >= 0x80) {
      if (!is_international_char(c) && !is_private_char(c))
        return false;
    } else if (c <= 0x20 || c == 0x7f
               || is_one_of(static_cast<char>(c), "\"<>\\^`{|}")
               || (c == '%' && !is_percent_encoded(s, i))) {
      return false;
    }
  }
  return true;
}

} // namespace

bool is_uri(std::string_view s, bool international, bool may_be_relative) {
  auto p = split_uri(s);
  if (!p.scheme) {
    // The first segment of such a path must not look like a scheme.
    auto first = p.path.substr(0, p.path.find('/'));
    if (!may_be_relative
        || (!p.authority && first.find(':') != std::string_view::npos))
      return false;
  }
  if (p.authority && !is_authority(*p.authority, international))
    return false;
  return all_allowed(p.path, {":@/", international})
         && all_allowed(p.query.value_or(""), {":@/?", international, true})
         && all_allowed(p.fragment.value_or(""), {":@/?", international});
}

bool is_uri_template(std::string_view s) {
  while (!s.empty()) {
    auto open = s.find('{');
    if (!is_template_literal(s.substr(0, open)))
      return false;
    if (open == std::string_view::npos)
      return true;
    auto close = s.find('}', open);
    if (close == std::string_view::npos
        || !is_expression(s.substr(open + 1, close - open - 1)))
      return false;
    s.remove_prefix(close + 1);
  }
  return true;
}

bool is_json_pointer(std::string_view s) {
  if (!s.empty() && s.front() != '/')
    return false;
  for (size_t i = 0; i < s.size(); ++i)
    if (s[i] == '~'
        && (i + 1 == s.size() || (s[i + 1] != '0' && s[i + 1] != '1')))
      return false;
  return true;
}

bool is_relative_json_pointer(std::string_view s) {
  auto n = size_t{0};
  while (n < s.size() && is_digit(s[n]))
    ++n;
  if (n == 0 || (n > 1 && s.front() == '0'))
    return false;
  return s.substr(n) == "#" || is_json_pointer(s.substr(n));
}

bool is_uuid(std::string_view s) {
  if (s.size() != 36)
    return false;
  for (size_t i = 0; i < s.size(); ++i) {
    auto dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? s[i] != '-' : hex_value(s[i]) < 0)
      return false;
  }
  return true;
}

} // namespace troupe::schema
