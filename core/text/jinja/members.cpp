#include <algorithm>
#include <array>

#include "core/text/jinja/builtins.hpp"
#include "core/text/utf8.hpp"

namespace troupe::jinja {

namespace {

value of_loop(const loop_state& l, const std::string& name) {
  auto& items = l.items->items;
  auto at = static_cast<int64_t>(l.at);
  auto size = static_cast<int64_t>(items.size());
  if (name == "index")
    return at + 1;
  if (name == "index0")
    return at;
  if (name == "revindex")
    return size - at;
  if (name == "revindex0")
    return size - at - 1;
  if (name == "first")
    return at == 0;
  if (name == "last")
    return at + 1 == size;
  if (name == "length")
    return size;
  if (name == "previtem" && at > 0)
    return items[l.at - 1];
  if (name == "nextitem" && at + 1 < size)
    return items[l.at + 1];
  return undefined{"loop." + name};
}

bool is_method_of_dict(std::string_view name) {
  constexpr auto names = std::array<std::string_view, 11>{
      "clear", "copy",    "fromkeys",   "get",    "items", "keys",
      "pop",   "popitem", "setdefault", "update", "values"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string key_name(const value& key) {
  return key.str() ? key.str()->bytes() : name_of(key);
}

// As Python has them: those that the step visits.
std::vector<size_t> places(context& c, int64_t n, const value* begin,
                           const value* end, const value* step) {
  auto number = [&](const value* v, int64_t otherwise) {
    if (!v || v->is_none())
      return otherwise;
    if (!as_int(*v))
      c.wrong("a slice by " + name_of(*v));
    return as_int(*v).value_or(0);
  };
  auto by = number(step, 1);
  if (by == 0)
    c.wrong("a slice with a step of 0");
  auto up = by > 0;
  auto clamp = [&](const value* v, int64_t otherwise) {
    auto x = number(v, otherwise);
    if (!v || v->is_none())
      return x;
    if (x < 0)
      x = std::max<int64_t>(x, -n - 1) + n;
    return std::clamp<int64_t>(x, up ? 0 : -1, up ? n : n - 1);
  };
  auto from = clamp(begin, up ? 0 : n - 1), to = clamp(end, up ? n : -1);
  auto all = std::vector<size_t>{};
  if (!c.ok() || !c.step(static_cast<size_t>(n) / 64))
    return all;
  by = std::clamp<int64_t>(by, -n - 1, n + 1);
  for (auto i = from; up ? i < to : i > to; i += by)
    all.push_back(static_cast<size_t>(i));
  return all;
}

} // namespace

value get_member(context& c, const value& object, const std::string& name) {
  if (auto* u = object.as<undefined>()) {
    c.wrong(quoted(u->name) + " is undefined");
    return {};
  }
  if (auto* d = object.map()) {
    if (is_method_of_dict(name)) {
      c.unsupported("the method " + quoted(name) + " without a call");
      return {};
    }
    if (!c.step(d->items.size()))
      return {};
    if (auto* v = find(*d, name))
      return *v;
  }
  if (auto* s = object.as<std::shared_ptr<space>>())
    for (auto& [key, v] : (*s)->members)
      if (key == name)
        return v;
  if (auto* l = object.as<std::shared_ptr<const loop_state>>())
    return of_loop(**l, name);
  return undefined{name};
}

value get_item(context& c, const value& object, const value& key) {
  if (auto* u = object.as<undefined>()) {
    c.wrong(quoted(u->name) + " is undefined");
    return {};
  }
  if (auto* d = object.map()) {
    if (auto* v = find(c, *d, key))
      return *v;
    return undefined{key_name(key)};
  }
  auto at = as_int(key);
  if (at && (object.items() || object.str())) {
    auto n = length(object);
    auto i = *at < 0 ? *at + n : *at;
    if (i < 0 || i >= n)
      return undefined{"element " + std::to_string(*at)};
    if (auto* l = object.items())
      return l->items[static_cast<size_t>(i)];
    auto& s = *object.str();
    if (!c.step(s.size() / 16) || !c.charge(s.size() * sizeof(size_t)))
      return {};
    auto b = boundaries(s.bytes());
    return s.cut(b[static_cast<size_t>(i)], b[static_cast<size_t>(i) + 1]);
  }
  if (key.str() && !object.str() && !object.items())
    return get_member(c, object, key.str()->bytes());
  return undefined{key_name(key)};
}

value get_slice(context& c, const value& object, const value* begin,
                const value* end, const value* step) {
  auto n = length(object);
  if (!object.items() && !object.str()) {
    c.wrong("cannot take a slice of " + name_of(object));
    return {};
  }
  if (auto* l = object.items()) {
    if (!c.charge(static_cast<size_t>(n) * (sizeof(value) + sizeof(size_t))))
      return {};
    auto out = std::vector<value>{};
    for (auto i : places(c, n, begin, end, step))
      out.push_back(l->items[i]);
    return make_list(c, std::move(out), l->tuple);
  }
  auto& s = *object.str();
  if (!c.charge(s.size() * (2 + 2 * sizeof(size_t))))
    return {};
  auto b = boundaries(s.bytes());
  auto out = text{};
  for (auto i : places(c, n, begin, end, step))
    out.append(s.cut(b[i], b[i + 1]));
  return out;
}

} // namespace troupe::jinja
