#include "core/text/jinja/filters_of_lists.hpp"

#include <algorithm>
#include <utility>

#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

using reader = argument_reader;

// "a.b.0": members of members, each of which may be missing.
value attribute_of(context& c, value v, const value& path,
                   const value* otherwise = nullptr) {
  if (!path.str())
    return get_item(c, v, path);
  auto rest = std::string_view{path.str()->bytes()};
  for (auto more = true; more && c.ok();) {
    auto dot = rest.find('.');
    auto part = std::string{rest.substr(0, dot)};
    auto number = !part.empty() && part.size() < 10
                  && part.find_first_not_of("0123456789") == part.npos;
    v = get_item(c, v,
                 number ? value{int64_t{std::stoi(part)}}
                        : value{text{part, true}});
    if (otherwise && v.is_undefined())
      v = *otherwise;
    more = dot != rest.npos;
    rest.remove_prefix(more ? dot + 1 : 0);
  }
  return v;
}

arguments without(const arguments& args, size_t n) {
  auto out = args;
  n = std::min(n, out.at.size());
  out.at.erase(out.at.begin(), out.at.begin() + static_cast<ptrdiff_t>(n));
  return out;
}

std::string name_at(context& c, const std::string& what, const arguments& args,
                    size_t place) {
  if (place < args.at.size() && args.at[place].str())
    return args.at[place].str()->bytes();
  c.wrong(what + " needs the name of a test or filter");
  return {};
}

value map_each(context& c, const value& v, const arguments& args) {
  auto out = std::vector<value>{};
  if (args.at.empty()) {
    auto r = reader{c, "map", args, {"attribute", "default"}, 1};
    for (auto& x : elements(c, v)) {
      if (!c.ok())
        break;
      out.push_back(attribute_of(c, x, *r.get(0), r.get(1)));
    }
  } else {
    auto name = name_at(c, "map", args, 0);
    auto rest = without(args, 1);
    for (auto& x : elements(c, v))
      if (c.step())
        out.push_back(apply_filter(c, x, name, rest));
  }
  return make_list(c, std::move(out));
}

// select, reject, selectattr and rejectattr.
value pick(context& c, const value& v, const std::string& name,
           const arguments& args) {
  auto by_attribute = name.ends_with("attr");
  auto place = size_t{by_attribute ? 1u : 0u};
  if (by_attribute && args.at.empty())
    c.wrong(name + " needs the name of an attribute");
  auto test =
      args.at.size() > place ? name_at(c, name, args, place) : std::string{};
  auto rest = without(args, place + 1);
  auto out = std::vector<value>{};
  if (!c.ok())
    return {};
  for (auto& x : elements(c, v)) {
    if (!c.step())
      break;
    auto what = by_attribute ? attribute_of(c, x, args.at[0]) : x;
    auto holds = test.empty() ? truth(what) : apply_test(c, what, test, rest);
    if (holds == name.starts_with("select"))
      out.push_back(x);
  }
  return make_list(c, std::move(out));
}

value join(context& c, const value& v, const arguments& args) {
  auto r = reader{c, "join", args, {"d", "attribute"}};
  auto between = r.get(0) ? to_text(c, *r.get(0)) : text{};
  auto out = text{};
  auto first = true;
  for (auto& x : elements(c, v)) {
    if (!c.step() || !c.charge(between.size()))
      break;
    if (!std::exchange(first, false))
      out.append(between);
    out.append(to_text(c, r.get(1) ? attribute_of(c, x, *r.get(1)) : x));
  }
  return out;
}

value reverse(context& c, const value& v) {
  auto back = value{int64_t{-1}};
  if (v.str())
    return get_slice(c, v, nullptr, nullptr, &back);
  auto all = elements(c, v);
  std::reverse(all.begin(), all.end());
  return make_list(c, std::move(all));
}

// Strings that differ only in case are the same, as in Jinja.
value unique(context& c, const value& v) {
  auto out = std::vector<value>{};
  auto seen = std::vector<value>{};
  for (auto& x : elements(c, v)) {
    auto key = x.str() ? call_method(c, x, "lower", {}) : x;
    auto known = std::any_of(seen.begin(), seen.end(),
                             [&](auto& s) { return equal(c, s, key); });
    if (!c.ok())
      break;
    if (!known) {
      seen.push_back(key);
      out.push_back(x);
    }
  }
  return make_list(c, std::move(out));
}

value end_of(context& c, const value& v, bool first) {
  if (v.map()) {
    auto all = elements(c, v);
    return all.empty() ? value{undefined{"element"}}
           : first     ? all.front()
                       : all.back();
  }
  if (v.is_undefined())
    return undefined{"element"};
  if (!v.items() && !v.str()) {
    c.wrong(name_of(v) + " cannot be iterated over");
    return {};
  }
  return get_item(c, v, int64_t{first ? 0 : -1});
}

} // namespace

std::optional<value> apply_list_filter(context& c, const value& v,
                                       const std::string& name,
                                       const arguments& args) {
  if (name == "map")
    return map_each(c, v, args);
  if (name == "select" || name == "reject" || name == "selectattr"
      || name == "rejectattr")
    return pick(c, v, name, args);
  if (name == "join")
    return join(c, v, args);
  auto plain = name == "first" || name == "last" || name == "list"
               || name == "reverse" || name == "unique" || name == "items";
  if (!plain)
    return {};
  reader{c, name, args, {}};
  if (name == "first" || name == "last")
    return end_of(c, v, name == "first");
  if (name == "list")
    return make_list(c, elements(c, v));
  if (name == "reverse")
    return reverse(c, v);
  if (name == "unique")
    return unique(c, v);
  if (v.is_undefined())
    return make_list(c, {});
  if (!v.map())
    c.wrong("the filter items takes a dict and not " + name_of(v));
  return call_method(c, v, "items", {});
}

} // namespace troupe::jinja
