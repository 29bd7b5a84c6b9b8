#include "core/text/jinja/text.hpp"

#include <algorithm>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <utility>

#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// One code point, its full mapping, with the origin of its first byte.
void append_mapped(const text& from, size_t at, const utf8_step& step,
                   letter_case to, text& out) {
  if (step.state != utf8_state::whole)
    return out.append(from.cut(at, at + step.size));
  UChar source[2];
  auto n = int32_t{0};
  U16_APPEND_UNSAFE(source, n, static_cast<UChar32>(step.code));
  UChar mapped[8];
  auto status = U_ZERO_ERROR;
  auto size = to == letter_case::upper
                  ? u_strToUpper(mapped, 8, source, n, "", &status)
              : to == letter_case::lower
                  ? u_strToLower(mapped, 8, source, n, "", &status)
                  : u_strToTitle(mapped, 8, source, n, nullptr, "", &status);
  if (U_FAILURE(status) || size > 8)
    return out.append(from.cut(at, at + step.size));
  auto bytes = std::string{};
  for (auto i = int32_t{0}; i < size;) {
    auto code = UChar32{};
    U16_NEXT(mapped, i, size, code);
    append_utf8(static_cast<char32_t>(code), bytes);
  }
  out.append(bytes, from.trusted(at));
}

// Each code point in the case that `choose(code)` says.
template <class F>
text map_each(const text& from, F choose) {
  auto out = text{};
  for (auto at = size_t{0}; at < from.size();) {
    auto step = step_utf8(from.bytes(), at);
    append_mapped(from, at, step, choose(step.code), out);
    at += step.size;
  }
  return out;
}

bool has(const std::string& chars, std::string_view one) {
  for (auto at = size_t{0}; at < chars.size();) {
    auto size = step_utf8(chars, at).size;
    if (std::string_view{chars}.substr(at, size) == one)
      return true;
    at += size;
  }
  return false;
}

std::vector<text> split_at_space(const text& from, int64_t most) {
  auto parts = std::vector<text>{};
  auto& bytes = from.bytes();
  auto at = leading_space(bytes);
  while (at < bytes.size()) {
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      parts.push_back(from.cut(at, bytes.size()));
      break;
    }
    auto end = at;
    while (end < bytes.size()) {
      auto step = step_utf8(bytes, end);
      if (step.state == utf8_state::whole && is_space(step.code))
        break;
      end += step.size;
    }
    parts.push_back(from.cut(at, end));
    at = end + leading_space(bytes, end);
  }
  return parts;
}

} // namespace

std::vector<std::pair<size_t, size_t>> text::trusted_runs() const {
  auto runs = std::vector<std::pair<size_t, size_t>>{};
  for (auto at = trust_.find('\1'); at != trust_.npos;) {
    auto end = std::min(trust_.find('\0', at), trust_.size());
    runs.emplace_back(at, end);
    at = trust_.find('\1', end);
  }
  return runs;
}

void text::append(const text& more) {
  bytes_ += more.bytes_;
  trust_ += more.trust_;
}

void text::append(std::string_view bytes, bool trusted) {
  bytes_ += bytes;
  trust_.append(bytes.size(), trusted ? '\1' : '\0');
}

text text::cut(size_t begin, size_t end) const {
  auto out = text{};
  out.bytes_ = bytes_.substr(begin, end - begin);
  out.trust_ = trust_.substr(begin, end - begin);
  return out;
}

bool is_space(char32_t code) {
  return (code >= 0x1C && code <= 0x1F)
         || u_isUWhiteSpace(static_cast<UChar32>(code));
}

std::vector<size_t> boundaries(std::string_view bytes) {
  auto out = std::vector<size_t>{0};
  for (auto at = size_t{0}; at < bytes.size();)
    out.push_back(at += step_utf8(bytes, at).size);
  return out;
}

size_t count_code_points(std::string_view bytes) {
  auto n = size_t{0};
  for (auto at = size_t{0}; at < bytes.size(); ++n)
    at += step_utf8(bytes, at).size;
  return n;
}

size_t leading_space(std::string_view bytes, size_t at) {
  auto begin = at;
  while (at < bytes.size()) {
    auto step = step_utf8(bytes, at);
    if (step.state != utf8_state::whole || !is_space(step.code))
      break;
    at += step.size;
  }
  return at - begin;
}

size_t trailing_space(std::string_view bytes) {
  auto end = size_t{0};
  for (auto at = size_t{0}; at < bytes.size();) {
    auto step = step_utf8(bytes, at);
    at += step.size;
    if (step.state != utf8_state::whole || !is_space(step.code))
      end = at;
  }
  return bytes.size() - end;
}

text strip(const text& from, bool left, bool right, const std::string* chars) {
  auto begin = from.size(), end = size_t{0};
  for (auto at = size_t{0}; at < from.size();) {
    auto step = step_utf8(from.bytes(), at);
    auto one = std::string_view{from.bytes()}.substr(at, step.size);
    auto goes = chars ? has(*chars, one)
                      : step.state == utf8_state::whole && is_space(step.code);
    if (!goes) {
      begin = std::min(begin, at);
      end = at + step.size;
    }
    at += step.size;
  }
  if (begin > end)
    return {};
  return from.cut(left ? begin : 0, right ? end : from.size());
}

text replace(const text& from, const std::string& old, const text& by,
             int64_t most) {
  auto out = text{};
  auto at = size_t{0};
  if (old.empty()) {
    // Python puts it before each code point and at the end.
    for (auto next : boundaries(from.bytes())) {
      out.append(from.cut(at, next));
      at = next;
      if (most == 0)
        break;
      out.append(by);
      --most;
    }
  } else {
    for (; most != 0; --most) {
      auto hit = from.bytes().find(old, at);
      if (hit == std::string::npos)
        break;
      out.append(from.cut(at, hit));
      out.append(by);
      at = hit + old.size();
    }
  }
  out.append(from.cut(at, from.size()));
  return out;
}

std::vector<text> split(const text& from, const std::string& sep,
                        int64_t most) {
  if (sep.empty())
    return split_at_space(from, most);
  auto parts = std::vector<text>{};
  auto at = size_t{0};
  for (; most != 0; --most) {
    auto hit = from.bytes().find(sep, at);
    if (hit == std::string::npos)
      break;
    parts.push_back(from.cut(at, hit));
    at = hit + sep.size();
  }
  parts.push_back(from.cut(at, from.size()));
  return parts;
}

text to_case(const text& from, letter_case to) {
  return map_each(from, [&](char32_t) { return to; });
}

text capitalize(const text& from) {
  auto first = true;
  return map_each(from, [&](char32_t) {
    return std::exchange(first, false) ? letter_case::title
                                       : letter_case::lower;
  });
}

text title_letters(const text& from) {
  auto inside = false;
  return map_each(from, [&](char32_t code) {
    auto was = inside;
    inside = u_hasBinaryProperty(static_cast<UChar32>(code), UCHAR_CASED);
    return was ? letter_case::lower : letter_case::title;
  });
}

text title_words(const text& from) {
  auto first = true;
  return map_each(from, [&](char32_t code) {
    auto was = first;
    first = is_space(code) || code == '-' || code == '(' || code == '{'
            || code == '[' || code == '<';
    return was ? letter_case::upper : letter_case::lower;
  });
}

} // namespace troupe::jinja
