#include "core/schema/pattern_reader.hpp"

#include <charconv>

#include "core/schema/char_kinds.hpp"
#include "core/schema/pattern_properties.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

namespace {

// ECMA-262's WhiteSpace and LineTerminator, as a class has them, and the rest.
constexpr auto spaces = std::string_view{
    "\\t-\\r \\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}\\x{feff}"};
constexpr auto others = std::string_view{
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-"
    "\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"};

} // namespace

bool pattern_reader::refuse(std::string why) {
  if (why_.empty())
    why_ = std::move(why);
  return false;
}

bool pattern_reader::take(std::string_view text) {
  if (!in_.substr(at_).starts_with(text))
    return false;
  at_ += text.size();
  return true;
}

char32_t pattern_reader::take_code() {
  auto* p = in_.data() + at_;
  auto code = take_code_point(p);
  at_ = static_cast<size_t>(p - in_.data());
  return code;
}

bool pattern_reader::escaped_atom(atom& a) {
  auto c = in_[at_];
  switch (c) {
  case 'd':
  case 'D':
  case 'w':
  case 'W':
    ++at_;
    a.set = std::string{'\\', c};
    return true;
  case 's':
    ++at_;
    a.set = spaces;
    return true;
  case 'S':
    ++at_;
    a.set = others;
    return true;
  case 't':
    ++at_;
    a.code = '\t';
    return true;
  case 'n':
    ++at_;
    a.code = '\n';
    return true;
  case 'v':
    ++at_;
    a.code = '\v';
    return true;
  case 'f':
    ++at_;
    a.code = '\f';
    return true;
  case 'r':
    ++at_;
    a.code = '\r';
    return true;
  case '0':
    ++at_;
    return no_digit_follows();
  case 'c':
    ++at_;
    return control(a);
  case 'x':
    ++at_;
    return hex(2, a.code);
  case 'u':
    ++at_;
    return unicode(a);
  case 'p':
  case 'P':
    ++at_;
    return property(c, a);
  default:
    break;
  }
  if (is_letter(c) || is_digit(c))
    return refuse(std::string{"there is no escape \\"} + c);
  a.code = take_code();
  return true;
}

bool pattern_reader::no_digit_follows() {
  return at_ == in_.size() || !is_digit(in_[at_])
         || refuse("\\0 is followed by a digit");
}

bool pattern_reader::control(atom& a) {
  if (at_ == in_.size() || !is_letter(in_[at_]))
    return refuse("\\c is not followed by a letter");
  a.code = static_cast<char32_t>(in_[at_++] & 0x1f);
  return true;
}

bool pattern_reader::hex(size_t digits, char32_t& code) {
  auto text = in_.substr(at_, digits);
  auto x = uint32_t{0};
  auto* end = text.data() + text.size();
  auto [stop, problem] = std::from_chars(text.data(), end, x, 16);
  if (text.size() != digits || stop != end || problem != std::errc{})
    return refuse("hexadecimal digits are missing");
  code = x;
  at_ += digits;
  return true;
}

// \u1234, two of these as a surrogate pair, or \u{12345}.
bool pattern_reader::unicode(atom& a) {
  if (take("{")) {
    auto close = in_.find('}', at_);
    if (close == std::string_view::npos || close - at_ > 8
        || !hex(close - at_, a.code) || a.code > 0x10ffff)
      return refuse("\\u{ names no code point");
    ++at_;
    return true;
  }
  if (!hex(4, a.code))
    return false;
  if (a.code >= 0xd800 && a.code < 0xdc00 && take("\\u")) {
    auto low = char32_t{0};
    if (!hex(4, low))
      return false;
    if (low < 0xdc00 || low > 0xdfff)
      return refuse("a surrogate is alone");
    a.code = 0x10000 + ((a.code - 0xd800) << 10) + (low - 0xdc00);
  }
  if (a.code >= 0xd800 && a.code < 0xe000)
    return refuse("a surrogate is alone");
  return true;
}

bool pattern_reader::property(char p, atom& a) {
  auto close = in_.find('}', at_);
  if (!take("{") || close == std::string_view::npos)
    return refuse(std::string{"\\"} + p + " names no property");
  auto name = property_name(in_.substr(at_, close - at_));
  if (name.empty())
    return refuse(std::string{"\\"} + p + " names no property");
  at_ = close + 1;
  if (name == "ASCII")
    a.set = p == 'p' ? "\\x{0}-\\x{7f}" : "\\x{80}-\\x{10ffff}";
  else
    a.set = std::string{'\\', p} + "{" + name + "}";
  return true;
}

} // namespace troupe::schema
