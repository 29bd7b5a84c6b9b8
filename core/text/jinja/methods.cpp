#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

using reader = argument_reader;

bool has_affix(const text& s, const text& affix, bool front) {
  return front ? s.bytes().starts_with(affix.bytes())
               : s.bytes().ends_with(affix.bytes());
}

value test_affix(context& c, const text& s, reader& args, bool front) {
  auto* v = args.get(0);
  if (auto* any = v ? v->items() : nullptr; any && any->tuple) {
    for (auto& one : any->items)
      if (one.str() && c.step() && has_affix(s, *one.str(), front))
        return true;
    return false;
  }
  auto* affix = args.string(0);
  return affix && has_affix(s, *affix, front);
}

value split_string(context& c, const text& s, reader& args) {
  auto* sep = args.string(0);
  auto most = args.integer(1, -1);
  if (sep && sep->empty())
    c.wrong("split takes no empty string");
  if (!c.ok() || (sep && !may_search(c, s, *sep)))
    return {};
  // Each part is a value of its own; the worst is one a byte or separator.
  auto step = sep ? sep->size() : 2;
  if (!c.charge((s.size() / step + 1) * (sizeof(value) + sizeof(text))))
    return {};
  auto parts = std::vector<value>{};
  for (auto& part : split(s, sep ? sep->bytes() : std::string{}, most))
    parts.emplace_back(std::move(part));
  return make_list(c, std::move(parts));
}

value replace_string(context& c, const text& s, reader& args) {
  auto *old = args.string(0), *by = args.string(1);
  auto most = args.integer(2, -1);
  if (!old || !by || !may_search(c, s, *old))
    return {};
  // Before it is made, how large it may get.
  auto hits = s.size() / std::max<size_t>(old->size(), 1) + 1;
  if (old->size() > 0 && hits * by->size() > s.size()) {
    hits = 0;
    for (auto at = s.bytes().find(old->bytes()); at != std::string::npos;
         at = s.bytes().find(old->bytes(), at + old->size()))
      ++hits;
  }
  if (!c.charge(s.size() + hits * by->size()))
    return {};
  return replace(s, old->bytes(), *by, most);
}

value find_string(context& c, const text& s, reader& args) {
  auto* what = args.string(0);
  if (!what || !may_search(c, s, *what))
    return {};
  auto at = s.bytes().find(what->bytes());
  if (at == std::string::npos)
    return int64_t{-1};
  return static_cast<int64_t>(
      count_code_points(std::string_view{s.bytes()}.substr(0, at)));
}

value of_string(context& c, const text& s, const std::string& name,
                const arguments& args) {
  if (!c.charge(s.size()) || !c.step(s.size() / 64 + 1))
    return {};
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    auto r = reader{c, name, args, {"chars"}};
    auto* chars = r.string(0);
    if (chars && !c.step(chars->size() * s.size() / 16))
      return {};
    return strip(s, name != "rstrip", name != "lstrip",
                 chars ? &chars->bytes() : nullptr);
  }
  if (name == "startswith" || name == "endswith") {
    auto r = reader{c, name, args, {"prefix"}, 1};
    return test_affix(c, s, r, name == "startswith");
  }
  if (name == "split") {
    auto r = reader{c, name, args, {"sep", "maxsplit"}};
    return split_string(c, s, r);
  }
  if (name == "replace") {
    auto r = reader{c, name, args, {"old", "new", "count"}, 2};
    return replace_string(c, s, r);
  }
  if (name == "find") {
    auto r = reader{c, name, args, {"sub"}, 1};
    return find_string(c, s, r);
  }
  if (name == "join") {
    auto r = reader{c, name, args, {"iterable"}, 1};
    return r.get(0) ? apply_filter(c, *r.get(0), "join", {{value{s}}, {}})
                    : value{};
  }
  auto none = reader{c, name, args, {}};
  if (name == "upper" || name == "lower")
    return to_case(s,
                   name == "upper" ? letter_case::upper : letter_case::lower);
  if (name == "title")
    return title_letters(s);
  if (name == "capitalize")
    return capitalize(s);
  c.unsupported("the method " + quoted(name) + " of a string");
  return {};
}

value of_dict(context& c, const dict& d, const std::string& name,
              const arguments& args) {
  if (name == "get") {
    auto r = reader{c, name, args, {"key", "default"}, 1};
    if (!c.ok())
      return {};
    if (auto* v = find(c, d, *r.get(0)))
      return *v;
    return r.get(1) ? *r.get(1) : value{none{}};
  }
  auto none = reader{c, name, args, {}};
  auto all = std::vector<value>{};
  if (!c.charge(d.items.size() * sizeof(value)))
    return {};
  if (name == "items") {
    for (auto& [key, v] : d.items)
      all.push_back(make_list(c, {key, v}, true));
  } else if (name == "keys") {
    for (auto& [key, v] : d.items)
      all.push_back(key);
  } else if (name == "values") {
    for (auto& [key, v] : d.items)
      all.push_back(v);
  } else {
    c.unsupported("the method " + quoted(name) + " of a dict");
  }
  return make_list(c, std::move(all));
}

} // namespace

bool may_search(context& c, const text& in, const text& what) {
  return c.step(in.size() / 64 + in.size() / 256 * what.size() / 16 + 1);
}

value call_method(context& c, const value& object, const std::string& name,
                  const arguments& args) {
  if (!c.ok())
    return {};
  if (auto* s = object.str())
    return of_string(c, *s, name, args);
  if (auto* d = object.map())
    return of_dict(c, *d, name, args);
  if (auto* u = object.as<undefined>())
    c.wrong(quoted(u->name) + " is undefined");
  else
    c.unsupported("the method " + quoted(name) + " of " + name_of(object));
  return {};
}

} // namespace troupe::jinja
