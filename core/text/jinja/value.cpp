#include "core/text/jinja/value.hpp"

#include <algorithm>

namespace troupe::jinja {

namespace {

constexpr auto most_depth = 48;

// One more than that of `v`; fails for what must not be held.
void hold(context& c, const value& v, int& depth) {
  if (auto* l = v.items())
    depth = std::max(depth, l->depth + 1);
  else if (auto* d = v.map())
    depth = std::max(depth, d->depth + 1);
  else if (v.as<std::shared_ptr<space>>()
           || v.as<std::shared_ptr<const loop_state>>())
    c.unsupported(name_of(v) + " within another value");
  if (depth > most_depth)
    c.fail(errc::unsupported, "values are nested too deeply");
}

bool equal_lists(context& c, const list& a, const list& b) {
  return a.tuple == b.tuple && a.items.size() == b.items.size()
         && std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                       [&](auto& x, auto& y) { return equal(c, x, y); });
}

bool equal_dicts(context& c, const dict& a, const dict& b) {
  return a.items.size() == b.items.size()
         && std::all_of(a.items.begin(), a.items.end(), [&](auto& x) {
              auto* y = find(c, b, x.first);
              return y && equal(c, x.second, *y);
            });
}

} // namespace

value make_list(context& c, std::vector<value> items, bool tuple) {
  auto l = list{{}, tuple, 1};
  for (auto& v : items)
    hold(c, v, l.depth);
  if (!c.charge(sizeof(list) + items.size() * sizeof(value)))
    return {};
  l.items = std::move(items);
  return std::make_shared<const list>(std::move(l));
}

value make_dict(context& c, std::vector<std::pair<value, value>> items) {
  auto d = dict{};
  for (auto& [key, v] : items) {
    hold(c, v, d.depth);
    if (key.items() || key.map() || key.is_undefined())
      c.unsupported(name_of(key) + " as a key");
    hold(c, key, d.depth);
    if (!c.step(d.items.size()) || !c.charge(sizeof(dict) + 2 * sizeof(value)))
      return {};
    // The last one of a key counts, at the place of the first.
    if (auto* old = find(c, d, key))
      *const_cast<value*>(old) = std::move(v);
    else
      d.items.emplace_back(std::move(key), std::move(v));
  }
  return std::make_shared<const dict>(std::move(d));
}

std::string name_of(const value& v) {
  constexpr const char* names[] = {"undefined",  "none",    "a boolean",
                                   "an integer", "a float", "a string",
                                   "a list",     "a dict",  "a namespace",
                                   "the loop",   "a macro", "a function"};
  return names[v.index()];
}

bool truth(const value& v) {
  if (auto* b = v.as<bool>())
    return *b;
  if (auto x = as_real(v))
    return *x != 0;
  if (v.is_undefined() || v.is_none())
    return false;
  return length(v) != 0;
}

bool equal(context& c, const value& a, const value& b) {
  if (!c.step())
    return false;
  if (auto x = as_int(a), y = as_int(b); x && y)
    return *x == *y;
  if (auto x = as_real(a), y = as_real(b); x && y)
    return *x == *y;
  if (a.index() != b.index())
    return false;
  if (auto* s = a.str())
    return s->bytes() == b.str()->bytes();
  if (auto* l = a.items())
    return equal_lists(c, *l, *b.items());
  if (auto* d = a.map())
    return equal_dicts(c, *d, *b.map());
  if (auto* s = a.as<std::shared_ptr<space>>())
    return *s == *b.as<std::shared_ptr<space>>();
  return a.is_none() || a.is_undefined();
}

bool less(context& c, const value& a, const value& b) {
  if (!c.step())
    return false;
  if (auto x = as_int(a), y = as_int(b); x && y)
    return *x < *y;
  if (auto x = as_real(a), y = as_real(b); x && y)
    return *x < *y;
  // UTF-8 sorts as its code points do.
  if (a.str() && b.str())
    return a.str()->bytes() < b.str()->bytes();
  c.wrong("cannot order " + name_of(a) + " and " + name_of(b));
  return false;
}

const value* find(context& c, const dict& d, const value& key) {
  for (auto& [k, v] : d.items)
    if (equal(c, k, key))
      return &v;
  return nullptr;
}

const value* find(const dict& d, std::string_view key) {
  for (auto& [k, v] : d.items)
    if (auto* s = k.str(); s && s->bytes() == key)
      return &v;
  return nullptr;
}

std::optional<int64_t> as_int(const value& v) {
  if (auto* i = v.as<int64_t>())
    return *i;
  if (auto* b = v.as<bool>())
    return *b;
  return {};
}

std::optional<double> as_real(const value& v) {
  if (auto* d = v.as<double>())
    return *d;
  if (auto i = as_int(v))
    return static_cast<double>(*i);
  return {};
}

std::vector<value> elements(context& c, const value& v) {
  auto out = std::vector<value>{};
  if (auto* l = v.items()) {
    if (c.charge(l->items.size() * sizeof(value)))
      out = l->items;
  } else if (auto* d = v.map()) {
    if (c.charge(d->items.size() * sizeof(value)))
      for (auto& [key, unused] : d->items)
        out.push_back(key);
  } else if (auto* s = v.str()) {
    // A string of its own for each code point.
    if (!c.charge(s->size() * (sizeof(value) + sizeof(text) + 16)))
      return out;
    auto begin = size_t{0};
    for (auto end : boundaries(s->bytes())) {
      if (end > begin)
        out.emplace_back(s->cut(begin, end));
      begin = end;
    }
  } else if (!v.is_undefined()) {
    c.wrong(name_of(v) + " cannot be iterated over");
  }
  return out;
}

int64_t length(const value& v) {
  if (auto* l = v.items())
    return static_cast<int64_t>(l->items.size());
  if (auto* d = v.map())
    return static_cast<int64_t>(d->items.size());
  if (auto* s = v.str())
    return static_cast<int64_t>(count_code_points(s->bytes()));
  return v.is_undefined() ? 0 : -1;
}

} // namespace troupe::jinja
