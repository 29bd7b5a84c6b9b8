// What stands after `is`.

#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

// By their names and as operators.
std::string_view comparison(std::string_view name) {
  if (name == "equalto" || name == "eq" || name == "==")
    return "==";
  if (name == "ne" || name == "!=")
    return "!=";
  if (name == "lt" || name == "lessthan" || name == "<")
    return "<";
  if (name == "gt" || name == "greaterthan" || name == ">")
    return ">";
  if (name == "le" || name == "<=")
    return "<=";
  if (name == "ge" || name == ">=")
    return ">=";
  return name == "in" ? "in" : "";
}

} // namespace

bool apply_test(context& c, const value& v, const std::string& name,
                const arguments& args) {
  if (!c.ok())
    return false;
  if (auto op = comparison(name); !op.empty()) {
    auto r = argument_reader{c, "the test " + name, args, {"other"}, 1};
    return c.ok() && compare(c, op, v, *r.get(0));
  }
  if (name == "divisibleby") {
    auto r = argument_reader{c, "the test " + name, args, {"num"}, 1};
    return equal(c, calculate(c, "%", v, r.get(0) ? *r.get(0) : value{}),
                 int64_t{0});
  }
  argument_reader{c, "the test " + name, args, {}};
  auto* b = v.as<bool>();
  auto* i = v.as<int64_t>();
  auto sequence = v.str() || v.items() || v.map();
  if (name == "defined")
    return !v.is_undefined();
  if (name == "undefined")
    return v.is_undefined();
  if (name == "none")
    return v.is_none();
  if (name == "string")
    return v.str();
  if (name == "mapping")
    return v.map();
  if (name == "iterable" || name == "sequence")
    return sequence || v.is_undefined();
  if (name == "number")
    return b || i || v.as<double>();
  if (name == "integer")
    return i;
  if (name == "float")
    return v.as<double>();
  if (name == "boolean")
    return b;
  if (name == "true" || name == "false")
    return b && *b == (name == "true");
  if (name == "callable")
    return v.as<const node*>() || v.as<function>();
  if (name == "odd" || name == "even") {
    auto rest = calculate(c, "%", v, int64_t{2});
    return equal(c, rest, int64_t{name == "odd"});
  }
  c.unsupported("the test " + quoted(name));
  return false;
}

} // namespace troupe::jinja
