#include "core/api/json_text.hpp"

#include <charconv>
#include <cmath>

#include "core/text/utf8.hpp"

namespace troupe::api {

namespace {

void append_escaped(std::string& out, unsigned char c) {
  static constexpr auto digits = std::string_view{"0123456789abcdef"};
  switch (c) {
  case '"':
    out += "\\\"";
    break;
  case '\\':
    out += "\\\\";
    break;
  case '\n':
    out += "\\n";
    break;
  case '\r':
    out += "\\r";
    break;
  case '\t':
    out += "\\t";
    break;
  default:
    out += "\\u00";
    out += digits[c >> 4];
    out += digits[c & 15];
  }
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  auto plain = size_t{0}; // [plain, i) goes out as it is
  auto i = size_t{0};
  while (i < text.size()) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    auto step = c < 0x80 ? utf8_step{} : step_utf8(text, i);
    if (c >= 0x80 && step.state == utf8_state::whole) {
      i += step.size;
      continue;
    }
    out.append(text, plain, i - plain);
    if (c < 0x80)
      append_escaped(out, c);
    else
      out += "\xef\xbf\xbd";
    i += step.size;
    plain = i;
  }
  out.append(text, plain, i - plain);
  out += '"';
}

void append_json_number(std::string& out, float x) {
  if (std::isnan(x)) {
    out += "null";
  } else if (std::isinf(x)) {
    out += x < 0 ? "-9999" : "9999";
  } else {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof(text), x).ptr);
  }
}

} // namespace troupe::api
