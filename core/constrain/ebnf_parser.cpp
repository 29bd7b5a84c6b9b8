#include "core/constrain/ebnf_parser.hpp"

#include <algorithm>
#include <optional>

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

using kind = ebnf_node::kind;

constexpr auto most_bytes = size_t{1} << 18;
constexpr auto most_depth = 64;
constexpr auto most_count = uint32_t{10'000};

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool in_name(char c) {
  return begins_name(c) || (c >= '0' && c <= '9') || c == '-';
}

class parser {
public:
  explicit parser(std::string_view text) { in_.text = text; }

  result<std::vector<ebnf_rule>> run() {
    auto rules = std::vector<ebnf_rule>{};
    if (in_.text.size() > most_bytes)
      in_.refuse(errc::unsupported, "a grammar of more than 256 KiB");
    skip_space();
    while (!in_.failed && !in_.done()) {
      auto name = read_name();
      skip_space();
      if (name.empty() || !in_.take("::="))
        in_.refuse(errc::invalid_argument, "a rule begins with NAME ::=");
      if (!in_.failed)
        rules.push_back({name, choices(0)});
      if (!in_.failed && !in_.done() && !at_rule())
        in_.refuse(errc::invalid_argument,
                   "here neither a part of a rule nor a rule begins");
    }
    if (!in_.failed)
      return rules;
    return fail(in_.failed->code,
                "line " + std::to_string(line_of(in_.text, in_.failed_at))
                    + ": " + in_.failed->message);
  }

private:
  void skip_space() {
    while (!in_.done()) {
      auto c = in_.peek();
      if (c == '#')
        in_.at = std::min(in_.text.find('\n', in_.at), in_.text.size());
      else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        ++in_.at;
      else
        return;
    }
  }

  std::string read_name() {
    auto from = in_.at;
    if (begins_name(in_.peek()))
      while (!in_.done() && in_name(in_.peek()))
        ++in_.at;
    return std::string{in_.text.substr(from, in_.at - from)};
  }

  // Whether a name and ::= stand here.
  bool at_rule() {
    auto from = in_.at;
    auto name = read_name();
    skip_space();
    auto is = !name.empty() && in_.text.substr(in_.at).starts_with("::=");
    in_.at = from;
    return is;
  }

  ebnf_node choices(int depth) {
    auto all = ebnf_node{};
    all.what = kind::either;
    if (depth > most_depth)
      in_.refuse(errc::unsupported, "groups are nested more than 64 deep");
    do
      all.parts.push_back(row(depth));
    while (!in_.failed && in_.take('|'));
    return all.parts.size() == 1 ? std::move(all.parts[0]) : all;
  }

  ebnf_node row(int depth) {
    auto all = ebnf_node{};
    skip_space();
    while (!in_.failed && !in_.done() && in_.peek() != '|' && in_.peek() != ')'
           && !at_rule()) {
      auto from = in_.at;
      auto part = quantified(atom(depth));
      if (in_.at == from && !in_.failed)
        in_.refuse(errc::invalid_argument, "a part of a rule is a name, a text "
                                           "in quotes, a class or a group");
      all.parts.push_back(std::move(part));
      skip_space();
    }
    return all;
  }

  ebnf_node atom(int depth) {
    auto n = ebnf_node{};
    n.at = in_.at;
    if (in_.take('(')) {
      n = choices(depth + 1);
      if (!in_.failed && !in_.take(')'))
        in_.refuse(errc::invalid_argument, "a group has no end");
    } else if (in_.peek() == '"' || in_.peek() == '\'') {
      n.what = kind::text;
      n.text = read_text();
    } else if (in_.take('[')) {
      n.what = kind::set;
      n.set = read_class(in_);
    } else if (in_.take('.')) {
      n.what = kind::set;
      n.set = code_set::all();
    } else {
      n.what = kind::rule;
      n.text = read_name();
    }
    return n;
  }

  std::string read_text() {
    auto from = in_.at;
    auto quote = in_.text[in_.at++];
    auto out = std::string{};
    while (!in_.failed && !in_.done() && in_.peek() != quote) {
      if (in_.take('\\')) {
        if (in_.take('"'))
          out += '"';
        else if (in_.take('\''))
          out += '\'';
        else if (!in_.done())
          read_escaped(out);
      } else {
        append_utf8(in_.next_code(), out);
      }
    }
    if (!in_.failed && !in_.take(quote))
      in_.refuse_at(from, errc::invalid_argument, "a text has no end");
    return out;
  }

  void read_escaped(std::string& out) {
    auto from = in_.at;
    auto set = read_escape(in_, true);
    auto& r = set.ranges();
    if (in_.failed)
      return;
    if (r.size() != 1 || r[0].first != r[0].last)
      return in_.refuse_at(from, errc::invalid_argument,
                           "an escape in a text is one character");
    append_utf8(r[0].first, out);
  }

  ebnf_node quantified(ebnf_node part) {
    auto n = ebnf_node{};
    n.what = kind::repeat;
    n.at = part.at;
    n.most = ebnf_node::endless;
    if (in_.take('+'))
      n.least = 1;
    else if (in_.take('?'))
      n.most = 1;
    else if (in_.take('{'))
      counts(n);
    else if (!in_.take('*'))
      return part;
    n.parts.push_back(std::move(part));
    return n;
  }

  // "2}", "2,}" or "2,3}"
  void counts(ebnf_node& n) {
    auto from = in_.at;
    auto low = number(), high = low;
    if (in_.take(','))
      high = in_.peek() == '}' ? std::optional{ebnf_node::endless} : number();
    if (!low || !high || !in_.take('}') || *low > *high)
      return in_.refuse_at(from, errc::invalid_argument,
                           "a count is {2}, {2,} or {2,3}");
    if (*low > most_count || (*high > most_count && *high != n.most))
      return in_.refuse_at(from, errc::unsupported, "a count above 10000");
    n.least = *low;
    n.most = *high;
  }

  std::optional<uint32_t> number() {
    auto n = std::optional<uint32_t>{};
    for (; in_.peek() >= '0' && in_.peek() <= '9'; ++in_.at)
      n = std::min(n.value_or(0) * 10 + static_cast<uint32_t>(in_.peek() - '0'),
                   most_count + 1);
    return n;
  }

  regex_input in_;
};

} // namespace

size_t line_of(std::string_view text, size_t at) {
  auto head = text.substr(0, at);
  return static_cast<size_t>(std::count(head.begin(), head.end(), '\n')) + 1;
}

result<std::vector<ebnf_rule>> parse_ebnf(std::string_view text) {
  return parser{text}.run();
}

} // namespace troupe::constrain
