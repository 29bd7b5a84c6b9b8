#include "core/text/jinja/read_string.hpp"

#include <algorithm>

#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return 16;
}

// `least` to `most` digits at `at`, which goes behind them.
std::optional<char32_t> number(std::string_view from, size_t& at, size_t least,
                               size_t most, int base) {
  auto x = char32_t{0};
  auto n = size_t{0};
  for (; n < most && at < from.size() && digit(from[at]) < base; ++n)
    x = x * static_cast<char32_t>(base)
        + static_cast<char32_t>(digit(from[at++]));
  if (n < least)
    return {};
  return x;
}

bool append(std::optional<char32_t> code, std::string& out) {
  if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
    return false;
  append_utf8(*code, out);
  return true;
}

} // namespace

std::optional<std::string> read_string(std::string_view inside) {
  constexpr auto letters = std::string_view{"abfnrtv\\'\"\n"};
  constexpr auto meanings = std::string_view{"\a\b\f\n\r\t\v\\'\""};
  auto out = std::string{};
  for (auto at = size_t{0}; at < inside.size();) {
    auto c = inside[at++];
    if (c != '\\') {
      out += c;
      continue;
    }
    if (at == inside.size())
      return {};
    auto e = inside[at];
    if (digit(e) < 8) {
      if (!append(number(inside, at, 1, 3, 8), out))
        return {};
      continue;
    }
    ++at;
    auto size = e == 'x' ? 2u : e == 'u' ? 4u : e == 'U' ? 8u : 0u;
    if (size > 0) {
      if (!append(number(inside, at, size, size, 16), out))
        return {};
    } else if (auto i = letters.find(e); i != letters.npos) {
      out += meanings.substr(std::min(i, meanings.size()), 1);
    } else {
      out += '\\';
      out += e;
    }
  }
  return out;
}

} // namespace troupe::jinja
