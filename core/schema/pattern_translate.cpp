#include <algorithm>
#include <array>
#include <charconv>

#include "core/schema/char_kinds.hpp"
#include "core/schema/pattern.hpp"
#include "core/schema/pattern_reader.hpp"

namespace troupe::schema {

namespace {

constexpr auto deepest_group = 200u;
constexpr auto most_repeats = 1000u; // that RE2 takes

constexpr auto anything = std::string_view{"[\\x{0}-\\x{10ffff}]"};
constexpr auto nothing = std::string_view{"[^\\x{0}-\\x{10ffff}]"};
constexpr auto dot = std::string_view{"[^\\n\\r\\x{2028}\\x{2029}]"};

std::string literal(char32_t code) {
  auto digits = std::array<char, 8>{};
  auto* end = std::to_chars(digits.data(), digits.data() + 8,
                            static_cast<uint32_t>(code), 16)
                  .ptr;
  return "\\x{" + std::string{digits.data(), end} + "}";
}

class translator : private pattern_reader {
public:
  using pattern_reader::pattern_reader;

  result<std::string> translate() {
    while (at_ < in_.size() && why_.empty())
      term();
    if (why_.empty() && depth_ > 0)
      refuse("a parenthesis is not closed");
    if (!why_.empty())
      return fail(errc::invalid_argument, "this is no regular expression of "
                                          "ECMA-262: "
                                              + why_);
    if (!beyond_.empty())
      return fail(errc::unsupported,
                  "patterns are matched in linear time, which cannot be done "
                  "with "
                      + beyond_ + "; write it without");
    return std::move(out_);
  }

private:
  // The rest is still looked at: it may be no regular expression at all.
  void beyond(std::string what) {
    if (beyond_.empty())
      beyond_ = std::move(what);
  }

  void put(std::string_view text, bool can_repeat) {
    out_ += text;
    can_repeat_ = can_repeat;
  }

  // -- terms ------------------------------------------------------------------

  void term() {
    switch (in_[at_]) {
    case '\\':
      ++at_;
      escape();
      return;
    case '[':
      ++at_;
      char_class();
      return;
    case '(':
      ++at_;
      open_group();
      return;
    case ')':
      ++at_;
      close_group();
      return;
    case '|':
      ++at_;
      put("|", false);
      return;
    case '^':
      ++at_;
      put("\\A", false);
      return;
    case '$':
      ++at_;
      put("\\z", false);
      return;
    case '.':
      ++at_;
      put(dot, true);
      return;
    case '*':
    case '+':
    case '?':
      repeat(std::string{in_[at_++]});
      return;
    case '{':
      if (braces())
        return;
      break;
    default:
      break;
    }
    put(literal(take_code()), true);
  }

  void repeat(std::string how) {
    if (!can_repeat_) {
      refuse("there is nothing to repeat at byte " + std::to_string(at_));
      return;
    }
    if (take("?"))
      how += '?';
    put(how, false);
  }

  // {2}, {2,} or {2,3}; else a brace is a brace.
  bool braces() {
    auto start = at_++;
    auto least = uint32_t{0};
    auto most = uint32_t{0};
    if (number(least)) {
      most = least;
      auto open = take(",");
      auto bounded = open && number(most);
      if (take("}")) {
        if (open && !bounded)
          most = least;
        if (most < least)
          refuse("a repetition's bounds are not in order");
        if (most > most_repeats)
          beyond("more than 1000 repetitions");
        repeat(std::string{in_.substr(start, at_ - start)});
        return true;
      }
    }
    at_ = start;
    return false;
  }

  bool number(uint32_t& n) {
    auto start = at_;
    auto x = uint64_t{0};
    for (; at_ < in_.size() && is_digit(in_[at_]); ++at_)
      x = std::min<uint64_t>(x * 10 + static_cast<uint64_t>(in_[at_] - '0'),
                             UINT32_MAX);
    n = static_cast<uint32_t>(x);
    return at_ != start;
  }

  void open_group() {
    if (++depth_ > deepest_group)
      beyond("groups nested this deep");
    put("(?:", false);
    if (!take("?") || take(":"))
      return;
    if (take("=") || take("!") || take("<=") || take("<!"))
      beyond("lookaround");
    else if (!take("<") || !group_name())
      refuse("a group begins with (? and not as one may");
  }

  bool group_name() {
    auto start = at_;
    while (at_ < in_.size() && in_[at_] != '>') {
      auto c = in_[at_];
      auto first = at_ == start;
      if (!is_letter(c) && c != '_' && c != '$' && (c & 0x80) == 0
          && (first || !is_digit(c)))
        return false;
      ++at_;
    }
    return at_ > start && take(">");
  }

  void close_group() {
    if (depth_ == 0) {
      refuse("a parenthesis was not opened");
      return;
    }
    --depth_;
    put(")", true);
  }

  // -- escapes ----------------------------------------------------------------

  void escape() {
    if (at_ == in_.size()) {
      refuse("it ends with a backslash");
      return;
    }
    auto c = in_[at_];
    if (c == 'b' || c == 'B') {
      ++at_;
      put(c == 'b' ? "\\b" : "\\B", false);
    } else if (c >= '1' && c <= '9') {
      auto n = uint32_t{0};
      number(n);
      beyond("back references");
      can_repeat_ = true;
    } else if (take("k")) {
      if (!take("<") || !group_name())
        refuse("\\k names no group");
      beyond("back references");
      can_repeat_ = true;
    } else if (auto a = atom{}; escaped_atom(a)) {
      put(a.set.empty() ? literal(a.code) : "[" + a.set + "]", true);
    }
  }

  // -- classes ----------------------------------------------------------------

  void char_class() {
    auto negated = take("^");
    auto body = std::string{};
    while (at_ < in_.size() && in_[at_] != ']' && why_.empty())
      class_range(body);
    if (!take("]")) {
      refuse("a class is not closed");
      return;
    }
    if (body.empty())
      put(negated ? anything : nothing, true);
    else
      put((negated ? "[^" : "[") + body + "]", true);
  }

  void class_range(std::string& body) {
    auto low = atom{};
    if (!class_atom(low))
      return;
    auto rest = in_.substr(at_);
    if (rest.size() < 2 || rest[0] != '-' || rest[1] == ']') {
      body += low.set.empty() ? literal(low.code) : low.set;
      return;
    }
    ++at_;
    auto high = atom{};
    if (!class_atom(high))
      return;
    if (!low.set.empty() || !high.set.empty()) {
      refuse("a class has a range whose end is a class");
      return;
    }
    if (low.code > high.code) {
      refuse("a class has a range whose ends are not in order");
      return;
    }
    body += literal(low.code) + "-" + literal(high.code);
  }

  bool class_atom(atom& a) {
    if (!take("\\")) {
      a.code = take_code();
      return true;
    }
    if (at_ == in_.size())
      return refuse("it ends with a backslash");
    if (take("b")) {
      a.code = '\b';
      return true;
    }
    return escaped_atom(a);
  }

  std::string out_;
  unsigned depth_ = 0;
  bool can_repeat_ = false;
  std::string beyond_;
};

} // namespace

result<std::string> translate_pattern(std::string_view ecma) {
  return translator{ecma}.translate();
}

} // namespace troupe::schema
