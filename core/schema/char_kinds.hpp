#pragma once

#include <string_view>

namespace troupe::schema {

// Of ASCII, whatever the locale.

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr int hex_value(char c) {
  if (is_digit(c))
    return c - '0';
  auto l = static_cast<char>(c | 0x20);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

constexpr bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}

constexpr bool is_one_of(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

/// Whether "%" and two digits begin at `i`.
constexpr bool is_percent_encoded(std::string_view s, size_t i) {
  return s[i] == '%' && i + 2 < s.size() && hex_value(s[i + 1]) >= 0
         && hex_value(s[i + 2]) >= 0;
}

} // namespace troupe::schema
