#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text/jinja/builtins.hpp"
#include "core/text/jinja/filters_of_lists.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

using reader = argument_reader;

std::optional<double> read_real(const value& v) {
  if (auto x = as_real(v))
    return x;
  if (!v.str())
    return {};
  auto s = strip(*v.str(), true, true).bytes();
  auto x = double{};
  auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), x);
  if (ec != std::errc{} || end != s.data() + s.size())
    return {};
  return x;
}

value to_integer(const value& v, const value& otherwise) {
  if (auto i = as_int(v))
    return *i;
  if (v.str()) {
    auto s = strip(*v.str(), true, true).bytes();
    auto i = int64_t{};
    auto* begin = s.data() + (s.starts_with('+') ? 1 : 0);
    auto [end, ec] = std::from_chars(begin, s.data() + s.size(), i);
    if (ec == std::errc{} && end == s.data() + s.size())
      return i;
  }
  auto x = read_real(v);
  if (x && std::fabs(*x) < 9e18)
    return static_cast<int64_t>(*x);
  return otherwise;
}

value json_of(context& c, const value& v, const arguments& args) {
  auto r = reader{
      c, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"}};
  // Both spellings: Jinja's takes the indent first, that of transformers
  // ensure_ascii.
  for (auto i : {size_t{0}, size_t{2}, size_t{3}})
    if (auto* x = r.get(i); x && truth(*x))
      c.unsupported("tojson with ensure_ascii, separators or sort_keys");
  auto indent = r.integer(1, -1);
  return c.ok() ? value{to_json(c, v, indent)} : value{};
}

value default_of(context& c, const value& v, const arguments& args) {
  auto r = reader{c, "default", args, {"default_value", "boolean"}};
  auto also_false = r.get(1) && truth(*r.get(1));
  if (!v.is_undefined() && (!also_false || truth(v)))
    return v;
  return r.get(0) ? *r.get(0) : value{text{}};
}

// Those that are methods of strings too, applied to what is printed.
bool is_method(std::string_view name) {
  return name == "upper" || name == "lower" || name == "capitalize"
         || name == "replace";
}

value of_text(context& c, const value& v, const std::string& name,
              const arguments& args) {
  auto s = to_text(c, v);
  if (is_method(name))
    return call_method(c, s, name, args);
  if (name == "trim")
    return call_method(c, s, "strip", args);
  reader{c, name, args, {}};
  if (!c.charge(s.size()))
    return {};
  if (name == "title")
    return title_words(s);
  return s; // string, safe
}

value length_of(context& c, const value& v) {
  auto n = length(v);
  if (n < 0)
    c.wrong(name_of(v) + " has no length");
  if (v.str())
    c.step(v.str()->size() / 64);
  return n;
}

} // namespace

value apply_filter(context& c, const value& v, const std::string& name,
                   const arguments& args) {
  if (!c.ok())
    return {};
  if (name == "tojson")
    return json_of(c, v, args);
  if (name == "default" || name == "d")
    return default_of(c, v, args);
  if (is_method(name) || name == "trim" || name == "title" || name == "string"
      || name == "safe")
    return of_text(c, v, name, args);
  if (name == "int" || name == "float") {
    auto r = reader{c, name, args, {"default"}};
    auto otherwise = r.get(0)        ? *r.get(0)
                     : name == "int" ? value{int64_t{0}}
                                     : value{0.0};
    if (name == "int")
      return to_integer(v, otherwise);
    auto x = read_real(v);
    return x ? value{*x} : otherwise;
  }
  if (auto out = apply_list_filter(c, v, name, args))
    return *out;
  if (name == "length" || name == "count") {
    reader{c, name, args, {}};
    return length_of(c, v);
  }
  c.unsupported("the filter " + quoted(name));
  return {};
}

} // namespace troupe::jinja
