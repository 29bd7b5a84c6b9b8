#include "core/schema/utf8_scan.hpp"

namespace troupe {

namespace {

unsigned byte_of(const char* p) {
  return static_cast<unsigned char>(*p);
}

bool continues(const char* p) {
  return (byte_of(p) & 0xc0) == 0x80;
}

} // namespace

size_t scan_code_point(const char* at, const char* end) {
  auto first = byte_of(at);
  if (first < 0x80)
    return 1;
  if (first < 0xc2 || first > 0xf4)
    return 0;
  auto size = first < 0xe0 ? size_t{2} : first < 0xf0 ? size_t{3} : size_t{4};
  if (static_cast<size_t>(end - at) < size)
    return 0;
  // Overlong forms, surrogates, and what is beyond U+10FFFF.
  auto second = byte_of(at + 1);
  auto least = first == 0xe0 ? 0xa0u : first == 0xf0 ? 0x90u : 0x80u;
  auto most = first == 0xed ? 0x9fu : first == 0xf4 ? 0x8fu : 0xbfu;
  if (second < least || second > most)
    return 0;
  for (size_t i = 2; i < size; ++i)
    if (!continues(at + i))
      return 0;
  return size;
}

bool is_utf8(std::string_view text) {
  auto* end = text.data() + text.size();
  for (auto* at = text.data(); at != end;) {
    auto size = scan_code_point(at, end);
    if (size == 0)
      return false;
    at += size;
  }
  return true;
}

char32_t take_code_point(const char*& at) {
  auto first = byte_of(at++);
  if (first < 0x80)
    return first;
  auto more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  auto code = static_cast<char32_t>(first & (0x3fu >> more));
  for (auto i = 0; i < more; ++i)
    code = code << 6 | (byte_of(at++) & 0x3f);
  return code;
}

char* write_code_point(char32_t code, char* to) {
  auto put = [&](char32_t x) { *to++ = static_cast<char>(x); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
  return to;
}

size_t count_code_points(std::string_view text) {
  auto n = size_t{0};
  for (auto& c : text)
    n += !continues(&c);
  return n;
}

} // namespace troupe
