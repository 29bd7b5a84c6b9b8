#pragma once

#include <string_view>

#include "core/base/bytes.hpp"
#include "core/schema/char_kinds.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe {

/// Reads a string of JSON, RFC 8259: without escapes it stays where it is, else
/// it is copied to what `room` gives for a number of bytes.
template <class Room>
class json_string_reader {
public:
  /// REQUIRES: `at` is at the opening quote.
  json_string_reader(const char* at, const char* end, Room room)
      : at_(at), end_(end), room_(room) {}

  bool read(std::string_view& to) {
    auto* first = ++at_;
    if (!plain_part())
      return false;
    auto* text = first;
    auto size = static_cast<size_t>(at_ - first);
    if (*at_ == '\\' && !(text = escaped(first, size)))
      return false;
    ++at_;
    to = {text, size};
    return true;
  }

  /// Behind the string, or where it is wrong.
  const char* at() const { return at_; }
  const char* why() const { return why_; }

private:
  bool refuse(const char* why) {
    why_ = why;
    return false;
  }

  // Whether any of eight bytes ends a run of plain ASCII in a string: a quote,
  // a backslash, a control character, or one beyond ASCII.
  static bool has_special(uint64_t x) {
    constexpr auto ones = ~uint64_t{0} / 255;
    constexpr auto tops = ones << 7;
    auto zero = [](uint64_t v) { return (v - ones) & ~v; };
    return ((zero(x ^ ones * '"') | zero(x ^ ones * '\\') | (x - ones * 0x20)
             | x)
            & tops)
           != 0;
  }

  // Stops at a quote, a backslash or the end, with what is before it checked.
  bool plain_part() {
    for (;;) {
      while (end_ - at_ >= 8 && !has_special(load_unaligned<uint64_t>(at_)))
        at_ += 8;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\'
             && static_cast<unsigned char>(*at_ - 0x20) < 0x60)
        ++at_;
      if (at_ == end_)
        return refuse("the text ends within a string");
      if (*at_ == '"' || *at_ == '\\')
        return true;
      if (static_cast<unsigned char>(*at_) < 0x20)
        return refuse("a string holds a control character");
      if (*at_ == 0x7f) {
        ++at_;
        continue;
      }
      auto size = scan_code_point(at_, end_);
      if (size == 0)
        return refuse("a string holds bytes that are not UTF-8");
      at_ += size;
    }
  }

  // Copies a string; its text never grows by being unescaped.
  const char* escaped(const char* first, size_t& size) {
    auto* close = closing_quote();
    auto most = static_cast<size_t>(close - first);
    auto* out = room_(most);
    auto* to = out;
    auto* part = first;
    for (;;) {
      to = std::copy(part, at_, to);
      if (*at_ == '"')
        break;
      ++at_;
      if (!escape(to))
        return nullptr;
      part = at_;
      if (!plain_part())
        return nullptr;
    }
    size = static_cast<size_t>(to - out);
    return out;
  }

  // Where this string ends, or the text does.
  const char* closing_quote() const {
    auto* p = at_;
    while (p != end_ && *p != '"')
      p += *p == '\\' && p + 1 != end_ ? 2 : 1;
    return p;
  }

  bool escape(char*& to) {
    if (at_ == end_)
      return refuse("the text ends within a string");
    switch (*at_++) {
    case '"':
      *to++ = '"';
      return true;
    case '\\':
      *to++ = '\\';
      return true;
    case '/':
      *to++ = '/';
      return true;
    case 'b':
      *to++ = '\b';
      return true;
    case 'f':
      *to++ = '\f';
      return true;
    case 'n':
      *to++ = '\n';
      return true;
    case 'r':
      *to++ = '\r';
      return true;
    case 't':
      *to++ = '\t';
      return true;
    case 'u':
      return unicode_escape(to);
    default:
      --at_;
      return refuse("there is no such escape");
    }
  }

  bool four_digits(uint32_t& code) {
    if (end_ - at_ < 4)
      return refuse("four hexadecimal digits should be here");
    code = 0;
    for (auto i = 0; i < 4; ++i, ++at_) {
      auto d = schema::hex_value(*at_);
      if (d < 0)
        return refuse("four hexadecimal digits should be here");
      code = code * 16 + static_cast<uint32_t>(d);
    }
    return true;
  }

  bool unicode_escape(char*& to) {
    auto code = uint32_t{0};
    if (!four_digits(code))
      return false;
    if (code >= 0xd800 && code < 0xe000) {
      auto low = uint32_t{0};
      if (code >= 0xdc00 || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u')
        return refuse("an escaped surrogate is alone");
      at_ += 2;
      if (!four_digits(low))
        return false;
      if (low < 0xdc00 || low >= 0xe000)
        return refuse("an escaped surrogate is alone");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    to = write_code_point(code, to);
    return true;
  }

  const char* at_;
  const char* end_;
  Room room_;
  const char* why_ = nullptr;
};

} // namespace troupe
