#include "core/text/utf8.hpp"

namespace troupe {

utf8_step step_utf8(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  auto lead = byte(0);
  if (lead < 0x80)
    return {utf8_state::whole, 1, lead};
  // How many bytes follow, and the bounds of the first of them (The Unicode
  // Standard, table 3-7); the others are 80..BF.
  auto more = size_t{0};
  auto low = uint8_t{0x80}, high = uint8_t{0xBF};
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2;
    if (lead == 0xE0)
      low = 0xA0;
    if (lead == 0xED)
      high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3;
    if (lead == 0xF0)
      low = 0x90;
    if (lead == 0xF4)
      high = 0x8F;
  } else {
    return {};
  }
  auto code = char32_t{lead} & (0x3Fu >> more);
  for (auto i = size_t{1}; i <= more; ++i) {
    auto size = static_cast<uint8_t>(i);
    if (at + i >= text.size())
      return {utf8_state::cut, size, 0};
    if (byte(i) < low || byte(i) > high)
      return {utf8_state::broken, size, 0};
    code = code << 6 | (byte(i) & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return {utf8_state::whole, static_cast<uint8_t>(more + 1), code};
}

void append_utf8(char32_t code, std::string& out) {
  auto tail = [&](int shift) {
    out += static_cast<char>(0x80 | (code >> shift & 0x3F));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string quoted(std::string_view text, size_t most) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto s = std::string{'"'};
  for (auto c : text.substr(0, most)) {
    auto b = static_cast<uint8_t>(c);
    if (c == '\n') {
      s += "\\n";
    } else if (b < 0x20 || b >= 0x7F) {
      s += "\\x";
      s += digits[b >> 4];
      s += digits[b & 15];
    } else {
      if (c == '"' || c == '\\')
        s += '\\';
      s += c;
    }
  }
  s += '"';
  if (text.size() > most)
    s += "...";
  return s;
}

} // namespace troupe
