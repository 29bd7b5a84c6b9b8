#include "core/constrain/regex_escape.hpp"

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

code_set one(char32_t code) {
  return {{code, code}};
}

int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  auto lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// So many hexadecimal digits, or nothing and no step.
std::optional<char32_t> take_hex(regex_input& in, size_t digits) {
  auto code = char32_t{0};
  if (in.at + digits > in.text.size())
    return {};
  for (auto i = size_t{0}; i < digits; ++i) {
    auto d = hex(in.text[in.at + i]);
    if (d < 0)
      return {};
    code = code << 4 | static_cast<char32_t>(d);
  }
  in.at += digits;
  return code;
}

bool is_surrogate(char32_t code, char32_t first) {
  return code >= first && code < first + 0x400;
}

// Behind "\u": four digits, twice where they are a pair, or "{...}".
code_set unicode_escape(regex_input& in) {
  constexpr auto none = code_set::last_code + 1;
  auto from = in.at;
  auto code = none;
  if (in.take('{')) {
    auto n = char32_t{0};
    auto digits = 0;
    for (; hex(in.peek()) >= 0 && n <= code_set::last_code; ++in.at, ++digits)
      n = n << 4 | static_cast<char32_t>(hex(in.peek()));
    if (digits > 0 && in.take('}'))
      code = n;
  } else {
    code = take_hex(in, 4).value_or(none);
    if (is_surrogate(code, 0xd800) && in.take("\\u")) {
      auto low = take_hex(in, 4).value_or(none);
      code = is_surrogate(low, 0xdc00)
                 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
                 : none;
    }
  }
  if (code > code_set::last_code || (code >= 0xd800 && code < 0xe000)) {
    in.refuse_at(from, errc::invalid_argument, "an escape names no character");
    return {};
  }
  return one(code);
}

code_set control_escape(regex_input& in) {
  auto c = static_cast<char>(in.peek() | 0x20);
  if (c < 'a' || c > 'z') {
    in.refuse(errc::invalid_argument, "\\c needs a letter");
    return {};
  }
  ++in.at;
  return one(static_cast<char32_t>(c - 'a' + 1));
}

code_set letter_escape(regex_input& in, char c, bool in_class) {
  switch (c) {
  case 'd':
    return digit_codes();
  case 'D':
    return digit_codes().complement();
  case 'w':
    return word_codes();
  case 'W':
    return word_codes().complement();
  case 's':
    return space_codes();
  case 'S':
    return space_codes().complement();
  case 'n':
    return one('\n');
  case 'r':
    return one('\r');
  case 't':
    return one('\t');
  case 'v':
    return one('\v');
  case 'f':
    return one('\f');
  case 'u':
    return unicode_escape(in);
  case 'c':
    return control_escape(in);
  case 'x':
    if (auto code = take_hex(in, 2))
      return one(*code);
    break;
  case 'b':
    if (in_class)
      return one('\b');
    [[fallthrough]];
  case 'B':
    in.refuse_at(in.at - 1, errc::unsupported,
                 "a boundary of words cannot be enforced");
    return {};
  case 'p':
  case 'P':
    in.refuse_at(in.at - 1, errc::unsupported,
                 "properties of characters are not known here");
    return {};
  case 'k':
    in.refuse_at(in.at - 1, errc::unsupported,
                 "a reference to a group cannot be enforced");
    return {};
  default:
    break;
  }
  in.refuse_at(in.at - 1, errc::invalid_argument, "the escape is not known");
  return {};
}

// In a class, a range's end must be one character.
std::optional<char32_t> single(const code_set& set) {
  auto& r = set.ranges();
  if (r.size() == 1 && r[0].first == r[0].last)
    return r[0].first;
  return {};
}

code_set class_atom(regex_input& in) {
  if (in.take('\\'))
    return read_escape(in, true);
  if (in.done()) {
    in.refuse(errc::invalid_argument, "a class has no end");
    return {};
  }
  return one(in.next_code());
}

} // namespace

bool regex_input::take(char c) {
  if (done() || text[at] != c)
    return false;
  ++at;
  return true;
}

bool regex_input::take(std::string_view s) {
  if (!text.substr(std::min(at, text.size())).starts_with(s))
    return false;
  at += s.size();
  return true;
}

char32_t regex_input::next_code() {
  auto step = step_utf8(text, at);
  if (step.state != utf8_state::whole)
    refuse(errc::invalid_argument, "the expression is not UTF-8");
  else
    at += step.size;
  return step.code;
}

void regex_input::refuse_at(size_t where, errc code,
                            const std::string& reason) {
  if (!failed) {
    failed = fail(code, reason);
    failed_at = where;
  }
  at = text.size();
}

code_set read_escape(regex_input& in, bool in_class) {
  if (in.done()) {
    in.refuse(errc::invalid_argument, "a backslash ends the expression");
    return {};
  }
  auto c = in.peek();
  if (c == '0') {
    ++in.at;
    if (in.peek() >= '0' && in.peek() <= '9')
      in.refuse(errc::unsupported, "an octal escape");
    return one(0);
  }
  if (c >= '1' && c <= '9') {
    in.refuse(errc::unsupported, "a reference to a group cannot be enforced");
    return {};
  }
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
    ++in.at;
    return letter_escape(in, c, in_class);
  }
  return one(in.next_code());
}

code_set read_class(regex_input& in) {
  auto all = code_set{};
  auto negated = in.take('^');
  while (!in.failed && !in.take(']')) {
    auto from = in.at;
    auto set = class_atom(in);
    auto dash = in.at;
    if (in.failed || !in.take('-') || in.peek() == ']') {
      in.at = in.failed ? in.at : dash;
      all.add(set);
      continue;
    }
    auto end = class_atom(in);
    auto first = single(set), last = single(end);
    if (first && last && *first > *last)
      in.refuse_at(from, errc::invalid_argument, "a range that descends");
    if (first && last) {
      all.add(*first, *last);
    } else { // annex B: then the dash is one of the characters
      all.add(set);
      all.add('-');
      all.add(end);
    }
  }
  return negated ? all.complement() : all;
}

} // namespace troupe::constrain
