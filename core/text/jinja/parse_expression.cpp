#include <charconv>

#include "core/text/jinja/token_stream.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// The grammar, one member a level, as Jinja has it: the loosest first. Each
// yields a node, null only after a failure.
class expression_parser {
public:
  explicit expression_parser(token_stream& in) : in_(in) {}

  node_ptr expression() {
    if (!in_.enter())
      return nullptr;
    auto value = either();
    while (in_.ok() && in_.is_name("if")) {
      auto line = in_.next().line;
      auto condition = either();
      auto otherwise = in_.skip_name("else") ? expression() : nullptr;
      auto n = in_.make(node_type::choose, line);
      in_.add(*n, std::move(condition));
      in_.add(*n, std::move(value));
      in_.add(*n, std::move(otherwise));
      value = std::move(n);
    }
    in_.leave();
    return value;
  }

  node_ptr either() {
    auto left = both();
    while (in_.is_name("or")) {
      auto line = in_.next().line;
      left = join(node_type::logical_or, line, std::move(left), both());
    }
    return left;
  }

  // a, b, c
  node_ptr tuple_after(node_ptr first) {
    auto n = in_.make(node_type::tuple, in_.peek().line);
    in_.add(*n, std::move(first));
    while (in_.skip_op(",") && !ends())
      in_.add(*n, expression());
    return n;
  }

private:
  bool ends() const {
    return in_.is(token_type::print_end) || in_.is(token_type::block_end)
           || in_.is_op(")") || in_.is(token_type::end);
  }

  node_ptr join(node_type type, uint32_t line, node_ptr left, node_ptr right,
                std::string text = {}) {
    auto n = in_.make(type, line, std::move(text));
    in_.add(*n, std::move(left));
    in_.add(*n, std::move(right));
    return n;
  }

  node_ptr both() {
    auto left = negation();
    while (in_.is_name("and")) {
      auto line = in_.next().line;
      left = join(node_type::logical_and, line, std::move(left), negation());
    }
    return left;
  }

  node_ptr negation() {
    if (!in_.is_name("not"))
      return comparison();
    auto n = in_.make(node_type::logical_not, in_.next().line);
    if (!in_.enter())
      return nullptr;
    in_.add(*n, negation());
    in_.leave();
    return n;
  }

  std::string comparison_op() {
    for (auto op : {"==", "!=", "<", ">", "<=", ">="})
      if (in_.skip_op(op))
        return op;
    if (in_.skip_name("in"))
      return "in";
    if (in_.is_name("not") && in_.peek(1).type == token_type::name
        && in_.peek(1).text == "in") {
      in_.next();
      in_.next();
      return "not in";
    }
    return {};
  }

  node_ptr comparison() {
    auto line = in_.peek().line;
    auto left = sum();
    auto op = comparison_op();
    if (op.empty())
      return left;
    auto n = in_.make(node_type::compare, line);
    in_.add(*n, std::move(left));
    for (; !op.empty(); op = comparison_op()) {
      n->names.push_back(op);
      in_.add(*n, sum());
    }
    return n;
  }

  // Left to right, of the operators given.
  template <class F>
  node_ptr chain(std::initializer_list<std::string_view> ops, F operand) {
    auto left = operand();
    for (;;) {
      auto line = in_.peek().line;
      auto op = std::string{};
      for (auto o : ops)
        if (op.empty() && in_.skip_op(o))
          op = o;
      if (op.empty())
        return left;
      left = join(node_type::binary, line, std::move(left), operand(), op);
    }
  }

  node_ptr sum() {
    return chain({"+", "-"}, [this] { return concatenation(); });
  }
  node_ptr concatenation() {
    return chain({"~"}, [this] { return product(); });
  }
  node_ptr product() {
    return chain({"*", "//", "/", "%"}, [this] { return signed_one(true); });
  }

  node_ptr signed_one(bool with_filters) {
    auto minus = in_.is_op("-");
    auto n = node_ptr{};
    if (minus || in_.is_op("+")) {
      n = in_.make(minus ? node_type::negate : node_type::plus,
                   in_.next().line);
      if (!in_.enter())
        return nullptr;
      in_.add(*n, signed_one(false));
      in_.leave();
    } else {
      n = primary();
    }
    n = postfix(std::move(n));
    return with_filters ? filters(std::move(n)) : std::move(n);
  }

  node_ptr constant(value v) {
    auto n = in_.make(node_type::literal, in_.peek().line);
    n->constant = std::move(v);
    return n;
  }

  node_ptr primary() {
    auto t = in_.peek();
    if (t.type == token_type::name) {
      in_.next();
      if (t.text == "true" || t.text == "True")
        return constant(true);
      if (t.text == "false" || t.text == "False")
        return constant(false);
      if (t.text == "none" || t.text == "None")
        return constant(none{});
      return in_.make(node_type::name, t.line, t.text);
    }
    if (t.type == token_type::string) {
      auto all = std::string{};
      while (in_.is(token_type::string))
        all += in_.next().text;
      return constant(text{all, true});
    }
    if (t.type == token_type::integer || t.type == token_type::real)
      return number();
    if (in_.skip_op("("))
      return parenthesis(t.line);
    if (in_.skip_op("["))
      return list(t.line);
    if (in_.skip_op("{"))
      return dict(t.line);
    in_.unexpected("an expression");
    return in_.make(node_type::tuple, t.line);
  }

  node_ptr number() {
    auto t = in_.next();
    auto *begin = t.text.data(), *end = begin + t.text.size();
    if (t.type == token_type::real) {
      auto x = double{};
      if (std::from_chars(begin, end, x).ec != std::errc{})
        in_.fail(errc::unsupported, "the number " + t.text + " is too large");
      return constant(x);
    }
    auto x = int64_t{};
    if (std::from_chars(begin, end, x).ec != std::errc{})
      in_.fail(errc::unsupported, "the number " + t.text + " is too large");
    return constant(x);
  }

  node_ptr parenthesis(uint32_t line) {
    if (in_.skip_op(")"))
      return in_.make(node_type::tuple, line);
    auto n = expression();
    if (in_.is_op(","))
      n = tuple_after(std::move(n));
    in_.expect_op(")");
    return n;
  }

  node_ptr list(uint32_t line) {
    auto n = in_.make(node_type::list, line);
    while (in_.ok() && !in_.is_op("]")) {
      in_.add(*n, expression());
      if (!in_.skip_op(","))
        break;
    }
    in_.expect_op("]");
    return n;
  }

  node_ptr dict(uint32_t line) {
    auto n = in_.make(node_type::dict, line);
    while (in_.ok() && !in_.is_op("}")) {
      in_.add(*n, expression());
      in_.expect_op(":");
      in_.add(*n, expression());
      if (!in_.skip_op(","))
        break;
    }
    in_.expect_op("}");
    return n;
  }

  node_ptr postfix(node_ptr n) {
    while (in_.ok()) {
      if (in_.is_op(".")) {
        n = member(std::move(n));
      } else if (in_.is_op("[")) {
        n = subscript(std::move(n));
      } else if (in_.is_op("(")) {
        n = call(std::move(n));
      } else {
        break;
      }
    }
    return n;
  }

  node_ptr filters(node_ptr n) {
    while (in_.ok()) {
      if (in_.is_op("|")) {
        auto line = in_.next().line;
        auto f = in_.make(node_type::filter, line, in_.expect_name());
        in_.add(*f, std::move(n));
        if (in_.skip_op("("))
          arguments(*f);
        n = std::move(f);
      } else if (in_.is_name("is")) {
        n = test(std::move(n));
      } else if (in_.is_op("(")) {
        n = call(std::move(n));
      } else {
        break;
      }
    }
    return n;
  }

  node_ptr test(node_ptr object) {
    auto line = in_.next().line;
    auto negated = in_.skip_name("not");
    auto n = in_.make(node_type::test, line, in_.expect_name());
    in_.add(*n, std::move(object));
    if (in_.skip_op("("))
      arguments(*n);
    else if (begins_argument())
      in_.add(*n, postfix(primary()));
    if (!negated)
      return n;
    auto outer = in_.make(node_type::logical_not, line);
    in_.add(*outer, std::move(n));
    return outer;
  }

  // As in `x is divisibleby 3`.
  bool begins_argument() const {
    if (in_.is(token_type::name)) {
      for (auto word : {"and", "or", "not", "if", "else", "in", "is"})
        if (in_.is_name(word))
          return false;
      return true;
    }
    return in_.is(token_type::string) || in_.is(token_type::integer)
           || in_.is(token_type::real) || in_.is_op("[") || in_.is_op("{");
  }

  node_ptr member(node_ptr object) {
    auto line = in_.next().line;
    if (in_.is(token_type::integer)) {
      return join(node_type::subscript, line, std::move(object), number());
    }
    auto n = in_.make(node_type::attribute, line, in_.expect_name());
    in_.add(*n, std::move(object));
    return n;
  }

  node_ptr subscript(node_ptr object) {
    auto line = in_.next().line;
    auto parts = std::vector<node_ptr>{};
    auto colons = 0;
    auto part = [&] {
      return in_.is_op(":") || in_.is_op("]") ? nullptr : expression();
    };
    parts.push_back(part());
    for (; colons < 2 && in_.skip_op(":"); ++colons)
      parts.push_back(part());
    if (colons == 0 && !parts[0])
      in_.unexpected("an expression");
    if (in_.is_op(","))
      in_.fail(errc::unsupported, "a tuple as a subscript is not supported");
    in_.expect_op("]");
    auto n = in_.make(colons ? node_type::slice : node_type::subscript, line);
    in_.add(*n, std::move(object));
    parts.resize(colons ? 3 : 1);
    for (auto& p : parts)
      in_.add(*n, std::move(p));
    return n;
  }

  node_ptr call(node_ptr callee) {
    auto n = in_.make(node_type::call, in_.next().line);
    in_.add(*n, std::move(callee));
    arguments(*n);
    return n;
  }

  void arguments(node& to) {
    while (in_.ok() && !in_.is_op(")")) {
      if (in_.is_op("*"))
        in_.fail(errc::unsupported, "an argument with \"*\" is not supported");
      if (in_.is(token_type::name) && in_.peek(1).type == token_type::op
          && in_.peek(1).text == "=") {
        auto name = in_.next();
        in_.next();
        auto n = in_.make(node_type::keyword, name.line, name.text);
        in_.add(*n, expression());
        in_.add(to, std::move(n));
      } else {
        in_.add(to, expression());
      }
      if (!in_.skip_op(","))
        break;
    }
    in_.expect_op(")");
  }

  token_stream& in_;
};

} // namespace

node_ptr parse_expression(token_stream& in, bool tuple) {
  auto p = expression_parser{in};
  auto n = p.expression();
  if (tuple && in.is_op(","))
    n = p.tuple_after(std::move(n));
  return n;
}

node_ptr parse_or(token_stream& in) {
  return expression_parser{in}.either();
}

} // namespace troupe::jinja
