#include "core/text/jinja/lexer.hpp"

#include <algorithm>
#include <array>

#include "core/text/jinja/read_string.hpp"
#include "core/text/jinja/text.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// The longer ones first.
constexpr auto operators = std::array<std::string_view, 27>{
    "==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<", ">",
    "=",  "(",  ")",  "[",  "]",  "{",  "}", ",", ":", ".", "|", ";", "!"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || c == '_';
}

// With "\n" for each kind of line end, and without the last one.
std::string normalise(std::string_view source) {
  auto out = std::string{};
  out.reserve(source.size());
  for (auto i = size_t{0}; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n')
        ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n')
    out.pop_back();
  return out;
}

class lexer {
public:
  explicit lexer(std::string_view source) : source_(source) {}

  result<std::vector<token>> run() {
    while (at_ < source_.size() && !error_)
      next_part();
    if (error_)
      return *error_;
    add(token_type::end, {});
    return std::move(tokens_);
  }

private:
  std::string_view rest() const { return source_.substr(at_); }
  bool starts(std::string_view s) const { return rest().starts_with(s); }

  void fail(errc code, const std::string& what) {
    if (!error_)
      error_ = troupe::fail(code, "chat template, line " + std::to_string(line_)
                                      + ": " + what);
  }

  void add(token_type type, std::string text) {
    tokens_.push_back({type, std::move(text), line_});
  }

  void advance(size_t n) {
    auto part = source_.substr(at_, n);
    line_ += static_cast<uint32_t>(std::count(part.begin(), part.end(), '\n'));
    starts_line_ = !part.empty() && part.back() == '\n';
    at_ += n;
  }

  // Text, and the tag after it.
  void next_part() {
    auto begin = at_;
    while (begin < source_.size()) {
      begin = source_.find('{', begin);
      if (begin == source_.npos)
        begin = source_.size();
      if (begin + 1 >= source_.size()) {
        begin = source_.size();
        break;
      }
      auto kind = source_[begin + 1];
      if (kind == '{' || kind == '%' || kind == '#')
        break;
      ++begin;
    }
    auto data = source_.substr(at_, begin - at_);
    if (begin == source_.size()) {
      if (!data.empty())
        add(token_type::data, std::string{data});
      return advance(data.size());
    }
    auto kind = source_[begin + 1];
    auto sign = begin + 2 < source_.size() ? source_[begin + 2] : ' ';
    if (sign != '-' && sign != '+')
      sign = ' ';
    auto kept = before_tag(data, kind, sign);
    if (!kept.empty())
      add(token_type::data, std::string{kept});
    advance(data.size() + (sign == ' ' ? 2 : 3));
    if (kind == '#')
      return comment();
    tag(kind == '%');
  }

  std::string_view before_tag(std::string_view data, char kind, char sign) {
    if (sign == '-')
      return data.substr(0, data.size() - trailing_space(data));
    if (sign == '+' || kind == '{')
      return data;
    auto line = data.rfind('\n') + 1; // 0 if there is none
    if ((line > 0 || starts_line_)
        && leading_space(data, line) == data.size() - line)
      return data.substr(0, line);
    return data;
  }

  void comment() {
    auto end = source_.find("#}", at_);
    if (end == source_.npos)
      return fail(errc::bad_file, "a comment has no end");
    auto sign = end > at_ ? source_[end - 1] : ' ';
    advance(end + 2 - at_);
    after_tag(sign);
  }

  // What a block or comment swallows.
  void after_tag(char sign) {
    auto n = size_t{0};
    if (sign == '-')
      n = leading_space(source_, at_);
    else if (sign != '+' && starts("\n"))
      n = 1;
    if (n > 0)
      advance(n);
  }

  void tag(bool block) {
    add(block ? token_type::block_begin : token_type::print_begin, {});
    auto open = std::string{};
    auto close = block ? "%}" : "}}";
    while (!error_) {
      advance_blank();
      if (at_ >= source_.size())
        return fail(errc::bad_file, "a tag has no end");
      auto sign = source_[at_];
      auto signed_end = (sign == '-' || (sign == '+' && block))
                        && source_.substr(at_ + 1).starts_with(close);
      if (open.empty() && (signed_end || starts(close))) {
        add(block ? token_type::block_end : token_type::print_end, {});
        advance(signed_end ? 3 : 2);
        if (block || signed_end)
          after_tag(signed_end ? sign : ' ');
        return;
      }
      next_token(open);
    }
  }

  void advance_blank() {
    if (auto n = leading_space(source_, at_))
      advance(n);
  }

  void next_token(std::string& open) {
    auto c = source_[at_];
    if (c == '"' || c == '\'')
      return string(c);
    if (is_digit(c))
      return number();
    if (is_name(c)) {
      auto end = at_;
      while (end < source_.size() && is_name(source_[end]))
        ++end;
      add(token_type::name, std::string{source_.substr(at_, end - at_)});
      return advance(end - at_);
    }
    for (auto op : operators)
      if (starts(op)) {
        if (op == "**" || op == ";" || op == "!")
          return fail(errc::unsupported,
                      "the operator " + quoted(op) + " is not supported");
        if (!balance(op[0], open))
          return fail(errc::bad_file, quoted(op) + " closes nothing");
        add(token_type::op, std::string{op});
        return advance(op.size());
      }
    fail(errc::bad_file, "unexpected " + quoted(rest().substr(0, 1)));
  }

  static bool balance(char c, std::string& open) {
    if (c == '(' || c == '[' || c == '{')
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c)
        return false;
      open.pop_back();
    }
    return true;
  }

  void string(char quote) {
    auto end = at_ + 1;
    while (end < source_.size() && source_[end] != quote)
      end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size())
      return fail(errc::bad_file, "a string has no end");
    auto text = read_string(source_.substr(at_ + 1, end - at_ - 1));
    if (!text)
      return fail(errc::bad_file, "a string has a broken escape");
    add(token_type::string, std::move(*text));
    advance(end + 1 - at_);
  }

  void number() {
    auto end = at_;
    auto digits = [&] {
      while (end < source_.size() && is_digit(source_[end]))
        ++end;
    };
    auto digit_at = [&](size_t i) {
      return i < source_.size() && is_digit(source_[i]);
    };
    digits();
    auto type = token_type::integer;
    if (end < source_.size() && source_[end] == '.' && digit_at(end + 1)) {
      type = token_type::real;
      ++end;
      digits();
    }
    if (end < source_.size() && is_name(source_[end]))
      return fail(errc::unsupported,
                  "the number " + quoted(source_.substr(at_, end + 1 - at_))
                      + " is not supported");
    if (end - at_ > 40)
      return fail(errc::unsupported, "a number is too long");
    add(type, std::string{source_.substr(at_, end - at_)});
    advance(end - at_);
  }

  std::string_view source_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  bool starts_line_ = true; ///< what was read last ends a line
  std::vector<token> tokens_;
  std::optional<error> error_;
};

} // namespace

result<std::vector<token>> tokenize(std::string_view source) {
  auto text = normalise(source);
  return lexer{text}.run();
}

} // namespace troupe::jinja
