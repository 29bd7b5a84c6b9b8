#include <optional>

#include "core/constrain/regex.hpp"
#include "core/constrain/regex_escape.hpp"
#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

using kind = regex_node::kind;

constexpr auto most_depth = 64;
constexpr auto most_bytes = size_t{1} << 16;
constexpr auto most_count = uint32_t{100'000};

regex_node make(kind what, code_set set = {}) {
  auto n = regex_node{};
  n.what = what;
  n.set = std::move(set);
  return n;
}

class parser {
public:
  explicit parser(std::string_view text) { in_.text = text; }

  result<regex_node> run() {
    if (in_.text.size() > most_bytes)
      return fail(errc::unsupported, "the expression has more than "
                                         + std::to_string(most_bytes)
                                         + " bytes");
    auto node = choices(0);
    if (!in_.failed && !in_.done())
      in_.refuse(errc::invalid_argument, "there is a ) without its (");
    if (in_.failed)
      return fail(in_.failed->code, in_.failed->message + " (byte "
                                        + std::to_string(in_.failed_at) + " of "
                                        + quoted(in_.text) + ")");
    return node;
  }

private:
  regex_node choices(int depth) {
    auto all = make(kind::either);
    if (depth > most_depth)
      in_.refuse(errc::unsupported, "groups are nested more than "
                                        + std::to_string(most_depth) + " deep");
    do
      all.parts.push_back(row(depth));
    while (!in_.failed && in_.take('|'));
    return all.parts.size() == 1 ? std::move(all.parts[0]) : all;
  }

  regex_node row(int depth) {
    auto all = make(kind::row);
    while (!in_.failed && !in_.done() && in_.peek() != '|'
           && in_.peek() != ')') {
      auto from = in_.at;
      auto part = atom(depth);
      all.parts.push_back(quantified(std::move(part), from));
    }
    return all;
  }

  regex_node atom(int depth) {
    if (in_.take('^'))
      return make(kind::begin);
    if (in_.take('$'))
      return make(kind::end);
    if (in_.take('.'))
      return make(kind::set, dot_codes());
    if (in_.take('['))
      return make(kind::set, read_class(in_));
    if (in_.take('('))
      return group(depth);
    if (in_.peek() == '*' || in_.peek() == '+' || in_.peek() == '?') {
      in_.refuse(errc::invalid_argument, "there is nothing to repeat");
      return {};
    }
    if (in_.take('\\'))
      return make(kind::set, read_escape(in_, false));
    auto one = code_set{};
    one.add(in_.next_code());
    return make(kind::set, std::move(one));
  }

  regex_node group(int depth) {
    auto from = in_.at;
    if (in_.take('?')) {
      if (in_.take("=") || in_.take("!") || in_.take("<=") || in_.take("<!"))
        in_.refuse_at(from, errc::unsupported,
                      "an assertion that looks around cannot be enforced");
      else if (in_.take('<'))
        skip_name();
      else if (!in_.take(':'))
        in_.refuse_at(from, errc::unsupported, "flags cannot be enforced");
    }
    auto inner = in_.failed ? regex_node{} : choices(depth + 1);
    if (!in_.failed && !in_.take(')'))
      in_.refuse_at(from, errc::invalid_argument, "a group has no end");
    return inner;
  }

  void skip_name() {
    while (!in_.done() && in_.peek() != '>')
      ++in_.at;
    if (!in_.take('>'))
      in_.refuse(errc::invalid_argument, "the name of a group has no end");
  }

  regex_node quantified(regex_node part, size_t from) {
    auto least = uint32_t{0}, most = regex_node::endless;
    if (in_.take('+'))
      least = 1;
    else if (in_.take('?'))
      most = 1;
    else if (!in_.take('*') && !counts(least, most))
      return part;
    in_.take('?'); // lazy: the same texts
    if (part.what == kind::begin || part.what == kind::end)
      in_.refuse_at(from, errc::unsupported, "a repeated anchor");
    auto again = uint32_t{0};
    if (in_.peek() == '*' || in_.peek() == '+' || in_.peek() == '?'
        || (!in_.failed && counts(again, again)))
      in_.refuse(errc::invalid_argument, "there is nothing to repeat");
    auto all = make(kind::repeat);
    all.least = least;
    all.most = most;
    all.parts.push_back(std::move(part));
    return all;
  }

  // "{2}", "{2,}" or "{2,3}"; braces of another kind stand for themselves.
  bool counts(uint32_t& least, uint32_t& most) {
    auto from = in_.at;
    auto low = in_.take('{') ? number() : std::nullopt;
    auto high = low;
    if (low && in_.take(','))
      high = in_.peek() == '}' ? regex_node::endless : number();
    if (!low || !high || !in_.take('}')) {
      in_.at = from;
      return false;
    }
    if (*low > most_count || (*high > most_count && high != most))
      in_.refuse_at(from, errc::unsupported,
                    "a count above " + std::to_string(most_count));
    if (*low > *high)
      in_.refuse_at(from, errc::invalid_argument, "counts that descend");
    least = *low;
    most = *high;
    return true;
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

result<regex_node> parse_regex(std::string_view pattern) {
  return parser{pattern}.run();
}

} // namespace troupe::constrain
