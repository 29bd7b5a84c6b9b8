#include "core/text/spaces.hpp"

#include <algorithm>
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "core/text/utf8.hpp"

namespace troupe {

void append_escaped(std::string_view text, std::string& out) {
  for (auto c : text)
    if (c == ' ')
      out += space_mark;
    else
      out += c;
}

void append_unescaped(std::string_view text, std::string& out) {
  for (auto at = size_t{0}; at < text.size();) {
    if (text.substr(at, space_mark.size()) == space_mark) {
      out += ' ';
      at += space_mark.size();
    } else {
      out += text[at++];
    }
  }
}

bool begins_with_space(std::string_view text) {
  return text.substr(0, 1) == " "
         || text.substr(0, space_mark.size()) == space_mark;
}

bool has_inner_space(std::string_view text) {
  return end_of_spaced(text, 0) < text.size();
}

size_t end_of_spaced(std::string_view text, size_t at) {
  while (text.substr(at, space_mark.size()) == space_mark)
    at += space_mark.size();
  return std::min(text.size(), text.find(space_mark, at));
}

std::string_view trimmed_left(std::string_view text) {
  while (!text.empty()) {
    auto step = step_utf8(text, 0);
    if (step.state != utf8_state::whole
        || !u_isUWhiteSpace(static_cast<UChar32>(step.code)))
      break;
    text.remove_prefix(step.size);
  }
  return text;
}

std::string_view trimmed_right(std::string_view text) {
  while (!text.empty()) {
    // Where the last character may begin.
    auto begin = text.size() - 1;
    while (begin > 0 && text.size() - begin < 4
           && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80)
      --begin;
    auto step = step_utf8(text, begin);
    if (step.state != utf8_state::whole || begin + step.size != text.size()
        || !u_isUWhiteSpace(static_cast<UChar32>(step.code)))
      break;
    text.remove_suffix(step.size);
  }
  return text;
}

std::string to_nfc(std::string_view text) {
  auto is_ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii))
    return std::string{text};
  auto status = U_ZERO_ERROR;
  auto* nfc = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status))
    return std::string{text};
  auto out = std::string{};
  for (auto at = size_t{0}; at < text.size();) {
    auto end = at;
    while (end < text.size()) {
      auto step = step_utf8(text, end);
      if (step.state != utf8_state::whole)
        break;
      end += step.size;
    }
    if (end > at) {
      auto piece = std::string{};
      auto sink = icu::StringByteSink<std::string>{&piece};
      nfc->normalizeUTF8(0, {text.data() + at, static_cast<int32_t>(end - at)},
                         sink, nullptr, status);
      out += U_SUCCESS(status) ? piece : text.substr(at, end - at);
    }
    if (end < text.size())
      out += text[end++];
    at = end;
  }
  return out;
}

} // namespace troupe
