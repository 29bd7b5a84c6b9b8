#include "core/text/compile_regex.hpp"

#include <optional>
#include <utility>

#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto most_bytes = size_t{4096};
constexpr auto most_classes = size_t{64};
constexpr auto most_instructions = size_t{4096};
constexpr auto most_depth = 16;
constexpr auto most_repeats = 64u;

using op = word_regex::op;

// Recursive descent; every method returns false after the first error.
class regex_parser {
public:
  explicit regex_parser(std::string_view pattern) : text_(pattern) {}

  // What stands between two instructions refers to others by distance, so
  // that it can be repeated and moved.
  struct fragment {
    std::vector<word_regex::instruction> code;
    bool can_be_empty = true;
  };

  std::optional<fragment> run() {
    if (text_.size() > most_bytes)
      return stop("more than is reasonable");
    auto all = alternatives(0);
    if (all && at_ < text_.size())
      return stop("an unmatched )");
    if (all && all->can_be_empty)
      return stop("a match of nothing");
    return all;
  }

  std::vector<char_class> take_classes() { return std::move(classes_); }
  const std::string& reason() const { return reason_; }

private:
  using maybe = std::optional<fragment>;

  std::nullopt_t stop(std::string reason) {
    if (reason_.empty())
      reason_ = std::move(reason);
    return std::nullopt;
  }

  bool at_end() const { return at_ >= text_.size(); }
  bool next_is(std::string_view what) const {
    return text_.substr(at_, what.size()) == what;
  }
  bool skip(std::string_view what) {
    if (!next_is(what))
      return false;
    at_ += what.size();
    return true;
  }

  std::optional<char32_t> code_point() {
    if (at_end())
      return stop("an end too early");
    auto step = step_utf8(text_, at_);
    if (step.state != utf8_state::whole)
      return stop("bytes that are not UTF-8");
    at_ += step.size;
    return step.code;
  }

  static int32_t size(const fragment& f) {
    return static_cast<int32_t>(f.code.size());
  }

  bool append(fragment& to, const fragment& more) {
    if (to.code.size() + more.code.size() > most_instructions) {
      stop("more than is reasonable");
      return false;
    }
    to.code.insert(to.code.end(), more.code.begin(), more.code.end());
    return true;
  }

  static fragment split(int32_t a, int32_t b) {
    return {{{op::split, a, b}}, true};
  }

  maybe alternatives(int depth) {
    if (depth > most_depth)
      return stop("groups too deep");
    auto parts = std::vector<fragment>{};
    do {
      auto one = sequence(depth);
      if (!one)
        return one;
      parts.push_back(*std::move(one));
    } while (skip("|"));
    auto all = std::move(parts.back());
    for (parts.pop_back(); !parts.empty(); parts.pop_back()) {
      auto& first = parts.back();
      auto both = split(1, size(first) + 2);
      auto end = size(all) + 1;
      if (!append(both, first) || !append(both, split(end, end))
          || !append(both, all))
        return std::nullopt;
      both.can_be_empty = all.can_be_empty || first.can_be_empty;
      all = std::move(both);
    }
    return all;
  }

  maybe sequence(int depth) {
    auto all = fragment{};
    while (!at_end() && !next_is("|") && !next_is(")")) {
      auto one = atom(depth);
      if (!one || !quantify(*one) || !append(all, *one))
        return std::nullopt;
      all.can_be_empty = all.can_be_empty && one->can_be_empty;
    }
    return all;
  }

  maybe atom(int depth) {
    if (skip("(?!")) {
      auto c = one_class();
      if (!c || !skip(")"))
        return stop("a lookahead of more than a class");
      return use(*c, op::not_next);
    }
    auto folds = skip("(?i:");
    if (folds || skip("(?:") || (next_is("(") && !next_is("(?") && skip("("))) {
      auto before = std::exchange(fold_, fold_ || folds);
      auto inner = alternatives(depth + 1);
      fold_ = before;
      if (inner && !skip(")"))
        return stop("an unmatched (");
      return inner;
    }
    if (skip("$"))
      return fragment{{{op::line_end}}, true};
    auto c = one_class();
    if (!c)
      return std::nullopt;
    return use(*c, op::in_class);
  }

  maybe use(char_class c, op what) {
    if (classes_.size() == most_classes)
      return stop("more than is reasonable");
    classes_.push_back(std::move(c));
    return fragment{{{what, static_cast<int32_t>(classes_.size() - 1)}},
                    what != op::in_class};
  }

  // -- quantifiers ------------------------------------------------------------

  bool quantify(fragment& one) {
    auto least = 1u, most = 1u;
    constexpr auto any = UINT32_MAX;
    if (skip("?")) {
      least = 0;
    } else if (skip("*")) {
      least = 0;
      most = any;
    } else if (skip("+")) {
      most = any;
    } else if (next_is("{")) {
      ++at_;
      auto a = number();
      auto b = a;
      if (a && skip(","))
        b = next_is("}") ? std::optional{any} : number();
      if (!a || !b || !skip("}") || *a > *b || *a > most_repeats
          || (*b != any && *b > most_repeats)) {
        stop("a repetition that is none");
        return false;
      }
      least = *a;
      most = *b;
    } else {
      return true;
    }
    if (next_is("?") || next_is("+") || next_is("*") || next_is("{")) {
      stop("a lazy or possessive quantifier");
      return false;
    }
    return repeat(one, least, most, any);
  }

  bool repeat(fragment& one, unsigned least, unsigned most, unsigned any) {
    auto all = fragment{};
    for (auto i = 0u; i < least; ++i)
      if (!append(all, one))
        return false;
    if (most == any) {
      auto n = size(one);
      if (!append(all, split(1, n + 2)) || !append(all, one)
          || !append(all, split(-n - 1, -n - 1)))
        return false;
    } else {
      for (auto i = least; i < most; ++i) {
        auto left = static_cast<int32_t>(most - i) * (size(one) + 1);
        if (!append(all, split(1, left)) || !append(all, one))
          return false;
      }
    }
    all.can_be_empty = least == 0 || one.can_be_empty;
    one = std::move(all);
    return true;
  }

  std::optional<unsigned> number() {
    auto n = 0u;
    auto begin = at_;
    while (!at_end() && text_[at_] >= '0' && text_[at_] <= '9' && n < 10000)
      n = n * 10 + static_cast<unsigned>(text_[at_++] - '0');
    return at_ > begin ? std::optional{n} : std::nullopt;
  }

  // -- classes ----------------------------------------------------------------

  std::optional<char_class> one_class() {
    auto c = char_class{};
    if (skip("[")) {
      if (!bracket(c))
        return std::nullopt;
      return c;
    }
    if (at_end()
        || std::string_view{".^*+?{}()|$]"}.find(text_[at_])
               != std::string_view::npos)
      return stop("unknown syntax at byte " + std::to_string(at_));
    if (auto literal = item(c); !literal)
      return std::nullopt;
    else if (*literal != none)
      add(c, *literal);
    return c;
  }

  void add(char_class& c, char32_t code) {
    if (fold_)
      c.add_folded(code);
    else
      c.add_range(code, code);
  }

  bool bracket(char_class& c) {
    auto negated = skip("^");
    for (auto first = true; first || !next_is("]"); first = false) {
      if (next_is("[") || next_is("&&")) {
        stop("a class in a class");
        return false;
      }
      auto low = item(c);
      if (!low)
        return false;
      if (*low == none)
        continue;
      if (!next_is("-") || next_is("-]")) {
        add(c, *low);
        continue;
      }
      ++at_;
      auto high = item(c);
      if (!high || *high == none || *high < *low || fold_) {
        stop("a range that is none");
        return false;
      }
      c.add_range(*low, *high);
    }
    ++at_;
    if (negated)
      c.negate();
    return true;
  }

  // One character, or `none` if a set of them was added to `c`.
  std::optional<char32_t> item(char_class& c) {
    auto code = code_point();
    if (!code || *code != '\\')
      return code;
    code = code_point();
    if (!code)
      return code;
    switch (*code) {
    case 's':
    case 'S':
      c.add_space(*code == 'S');
      return none;
    case 'd':
    case 'D':
      c.add_category("Nd", *code == 'D');
      return none;
    case 'p':
    case 'P':
      return category(c, *code == 'P');
    case 'r':
      return U'\r';
    case 'n':
      return U'\n';
    case 't':
      return U'\t';
    case 'f':
      return U'\f';
    case 'v':
      return U'\v';
    case 'x':
      return hex(2);
    case 'u':
      return hex(4);
    default:
      break;
    }
    if ((*code >= '0' && *code <= '9') || (*code >= 'A' && *code <= 'Z')
        || (*code >= 'a' && *code <= 'z'))
      return stop("unknown syntax at byte " + std::to_string(at_));
    return code;
  }

  std::optional<char32_t> category(char_class& c, bool negated) {
    if (!skip("{"))
      return stop("\\p without a name");
    negated ^= skip("^");
    auto end = text_.find('}', at_);
    auto name = text_.substr(at_, end - at_);
    if (end == text_.npos || !c.add_category(name, negated))
      return stop("the category " + quoted(name, 20));
    at_ = end + 1;
    return none;
  }

  std::optional<char32_t> hex(size_t digits) {
    auto braces = skip("{");
    auto code = char32_t{0};
    auto n = size_t{0};
    for (; !at_end() && n < (braces ? 6 : digits); ++n, ++at_) {
      auto d = text_[at_] | 0x20;
      if (text_[at_] >= '0' && text_[at_] <= '9')
        code = code * 16 + static_cast<char32_t>(text_[at_] - '0');
      else if (d >= 'a' && d <= 'f')
        code = code * 16 + static_cast<char32_t>(d - 'a' + 10);
      else
        break;
    }
    if (n == 0 || (!braces && n != digits) || (braces && !skip("}"))
        || code >= char_class::not_utf8)
      return stop("a code point that is none");
    return code;
  }

  static constexpr auto none = char32_t{0xFFFFFFFF};

  std::string_view text_;
  size_t at_ = 0;
  bool fold_ = false;
  std::vector<char_class> classes_;
  std::string reason_;
};

} // namespace

result<compiled_regex> compile_regex(std::string_view pattern) {
  auto parser = regex_parser{pattern};
  auto all = parser.run();
  if (!all)
    return fail(errc::unsupported, "the regular expression "
                                       + quoted(pattern, 200) + " has "
                                       + parser.reason());
  all->code.push_back({op::matched});
  return compiled_regex{std::move(all->code), parser.take_classes()};
}

} // namespace troupe
