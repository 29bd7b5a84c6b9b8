#include <algorithm>
#include <cmath>

#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

value on_integers(context& c, char op, int64_t a, int64_t b) {
  auto x = int64_t{};
  auto over = op == '+'   ? __builtin_add_overflow(a, b, &x)
              : op == '-' ? __builtin_sub_overflow(a, b, &x)
                          : __builtin_mul_overflow(a, b, &x);
  if (over)
    c.fail(errc::unsupported, "an integer is too large");
  return x;
}

value divide(context& c, std::string_view op, const value& a, const value& b) {
  auto x = *as_real(a), y = *as_real(b);
  if (y == 0) {
    c.wrong("division by zero");
    return {};
  }
  if (op == "/")
    return x / y;
  auto i = as_int(a), j = as_int(b);
  if (!i || !j) {
    auto floor = std::floor(x / y);
    return op == "//" ? floor : x - floor * y;
  }
  // The only one that overflows.
  if (*j == -1)
    return op == "//" ? on_integers(c, '-', 0, *i) : value{int64_t{0}};
  auto quotient = *i / *j, rest = *i % *j;
  auto down = rest != 0 && (rest < 0) != (*j < 0);
  return op == "//" ? quotient - down : down ? rest + *j : rest;
}

value on_numbers(context& c, std::string_view op, const value& a,
                 const value& b) {
  if (op[0] == '/' || op[0] == '%')
    return divide(c, op, a, b);
  if (auto i = as_int(a), j = as_int(b); i && j)
    return on_integers(c, op[0], *i, *j);
  auto x = *as_real(a), y = *as_real(b);
  return op == "+" ? x + y : op == "-" ? x - y : x * y;
}

value repeat(context& c, const value& what, int64_t times) {
  auto n = static_cast<size_t>(std::max<int64_t>(times, 0));
  auto size = what.str() ? what.str()->size() + 1
                         : what.items()->items.size() * sizeof(value) + 1;
  if (n > (size_t{1} << 30) || !c.charge(n * size)) {
    c.fail(errc::unsupported, "makes too much text");
    return {};
  }
  if (auto* s = what.str()) {
    auto out = text{};
    for (auto i = size_t{0}; i < n; ++i)
      out.append(*s);
    return out;
  }
  auto all = std::vector<value>{};
  for (auto i = size_t{0}; i < n; ++i)
    all.insert(all.end(), what.items()->items.begin(),
               what.items()->items.end());
  return make_list(c, std::move(all), what.items()->tuple);
}

value join_two(context& c, const text& a, const text& b) {
  if (!c.charge(a.size() + b.size()))
    return {};
  auto out = a;
  out.append(b);
  return out;
}

value join_two(context& c, const list& a, const list& b) {
  if (!c.charge((a.items.size() + b.items.size()) * sizeof(value)))
    return {};
  auto all = a.items;
  all.insert(all.end(), b.items.begin(), b.items.end());
  return make_list(c, std::move(all), a.tuple);
}

bool contains(context& c, const value& where, const value& what) {
  if (auto* s = where.str()) {
    if (!what.str()) {
      c.wrong("cannot look for " + name_of(what) + " in a string");
      return false;
    }
    return may_search(c, *s, *what.str())
           && s->bytes().find(what.str()->bytes()) != std::string::npos;
  }
  if (auto* d = where.map())
    return find(c, *d, what) != nullptr;
  if (auto* l = where.items())
    return std::any_of(l->items.begin(), l->items.end(),
                       [&](auto& x) { return equal(c, x, what); });
  if (!where.is_undefined())
    c.wrong("cannot look into " + name_of(where));
  return false;
}

} // namespace

value calculate(context& c, std::string_view op, const value& a,
                const value& b) {
  if (!c.ok())
    return {};
  if (op == "~")
    return join_two(c, to_text(c, a), to_text(c, b));
  if (as_real(a) && as_real(b))
    return on_numbers(c, op, a, b);
  if (op == "+" && a.str() && b.str())
    return join_two(c, *a.str(), *b.str());
  if (op == "+" && a.items() && b.items()
      && a.items()->tuple == b.items()->tuple)
    return join_two(c, *a.items(), *b.items());
  if (op == "*" && (a.str() || a.items()) && as_int(b))
    return repeat(c, a, *as_int(b));
  if (op == "*" && as_int(a) && (b.str() || b.items()))
    return repeat(c, b, *as_int(a));
  if (op == "%" && a.str())
    c.unsupported("formatting of a string by \"%\"");
  for (auto* v : {&a, &b})
    if (auto* u = v->as<undefined>())
      c.wrong(quoted(u->name) + " is undefined");
  c.wrong("cannot apply " + quoted(op) + " to " + name_of(a) + " and "
          + name_of(b));
  return {};
}

bool compare(context& c, std::string_view op, const value& a, const value& b) {
  if (!c.ok())
    return false;
  if (op == "==")
    return equal(c, a, b);
  if (op == "!=")
    return !equal(c, a, b);
  if (op == "<")
    return less(c, a, b);
  if (op == ">")
    return less(c, b, a);
  // Not the opposite of > and <, for the sake of NaN.
  if (op == "<=")
    return less(c, a, b) || equal(c, a, b);
  if (op == ">=")
    return less(c, b, a) || equal(c, a, b);
  return contains(c, b, a) == (op == "in");
}

} // namespace troupe::jinja
