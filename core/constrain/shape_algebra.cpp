#include "core/constrain/shape_algebra.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

using dfa_ptr = std::shared_ptr<const text_dfa>;

dfa_ptr share(text_dfa a) {
  return std::make_shared<const text_dfa>(std::move(a));
}

bool tighter_low(const number_bound& a, const number_bound& b) {
  return a.value > b.value || (a.value == b.value && a.open);
}

bool tighter_high(const number_bound& a, const number_bound& b) {
  return a.value < b.value || (a.value == b.value && a.open);
}

number_shape meet(number_shape a, const number_shape& b) {
  a.integer = a.integer || b.integer;
  if (b.low && (!a.low || tighter_low(*b.low, *a.low)))
    a.low = b.low;
  if (b.high && (!a.high || tighter_high(*b.high, *a.high)))
    a.high = b.high;
  a.divisors.insert(a.divisors.end(), b.divisors.begin(), b.divisors.end());
  if (b.values && !a.values)
    a.values = b.values;
  else if (b.values)
    std::erase_if(*a.values, [&](auto& d) { return !b.holds(d); });
  if (a.values)
    std::erase_if(*a.values, [&](auto& d) { return !a.holds(d); });
  return a;
}

array_shape meet(const array_shape& a, const array_shape& b) {
  auto c = array_shape{};
  auto at = [](const array_shape& s, size_t i) {
    return i < s.first.size() ? s.first[i] : s.rest;
  };
  for (auto i = size_t{0}; i < std::max(a.first.size(), b.first.size()); ++i)
    c.first.push_back(join(at(a, i), at(b, i)));
  c.rest = join(a.rest, b.rest);
  c.least = std::max(a.least, b.least);
  c.most = std::min(a.most, b.most);
  c.unique = a.unique || b.unique;
  return c;
}

object_shape meet(object_shape a, const object_shape& b) {
  a.parts.insert(a.parts.end(), b.parts.begin(), b.parts.end());
  a.required.insert(b.required.begin(), b.required.end());
  a.least = std::max(a.least, b.least);
  a.most = std::min(a.most, b.most);
  a.names.insert(a.names.end(), b.names.begin(), b.names.end());
  return a;
}

bool free_of_limits(const array_shape& a) {
  return a.first.empty() && a.rest.empty() && !a.unique;
}

} // namespace

schema_terms join(const schema_terms& a, const schema_terms& b) {
  auto c = schema_terms{};
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(c));
  return c;
}

schema_terms member_terms(const object_shape& o, const std::string& name) {
  auto all = schema_terms{};
  for (auto& part : o.parts) {
    auto spoken_of = false;
    for (auto& [known, terms] : part.named)
      if (known == name) {
        all = join(all, terms);
        spoken_of = true;
      }
    for (auto& p : part.patterns)
      if (p.names->accepts(name)) {
        all = join(all, p.value);
        spoken_of = true;
      }
    if (!spoken_of)
      all = join(all, part.others);
  }
  return all;
}

schema_shapes shape_algebra::all() {
  auto s = schema_shapes{};
  s.any.emplace_back(null_shape{});
  s.any.emplace_back(boolean_shape{});
  s.any.emplace_back(number_shape{});
  s.any.emplace_back(string_shape{});
  s.any.emplace_back(array_shape{});
  s.any.emplace_back(object_shape{});
  return s;
}

std::optional<text_dfa> shape_algebra::texts(const string_shape& s) const {
  if (!s.language)
    return {};
  if (s.least == 0 && s.most == no_limit)
    return *s.language;
  auto most = s.most == no_limit ? std::nullopt : std::optional{s.most};
  return both(*s.language, text_of_length(s.least, most, meter_), meter_);
}

bool shape_algebra::is_empty(const schema_shape& shape) const {
  if (auto* b = std::get_if<boolean_shape>(&shape))
    return !b->yes && !b->no;
  if (auto* n = std::get_if<number_shape>(&shape))
    return constrain::is_empty(*n);
  if (auto* s = std::get_if<string_shape>(&shape)) {
    if (s->least > s->most)
      return true;
    auto dfa = texts(*s);
    return dfa && dfa->empty() && !meter_.spent();
  }
  if (auto* a = std::get_if<array_shape>(&shape)) {
    if (a->least > a->most)
      return true;
    for (auto i = size_t{0}; i < a->first.size() && i < a->least; ++i)
      if (terms_empty_(a->first[i]))
        return true;
    return a->least > a->first.size() && terms_empty_(a->rest);
  }
  if (auto* o = std::get_if<object_shape>(&shape))
    return o->least > o->most || o->required.size() > o->most
           || std::any_of(o->required.begin(), o->required.end(),
                          [&](auto& name) {
                            return terms_empty_(member_terms(*o, name));
                          });
  return false;
}

void shape_algebra::meet(const schema_shape& a, const schema_shape& b,
                         std::vector<schema_shape>& to) const {
  if (a.index() != b.index() || !meter_.spend(8, 256))
    return;
  to.push_back(a);
  limit(to.back(), b);
  if (is_empty(to.back()))
    to.pop_back();
}

// REQUIRES: they are of one type.
void shape_algebra::limit(schema_shape& z, const schema_shape& y) const {
  if (auto* b = std::get_if<boolean_shape>(&z)) {
    b->yes = b->yes && std::get<boolean_shape>(y).yes;
    b->no = b->no && std::get<boolean_shape>(y).no;
  } else if (auto* n = std::get_if<number_shape>(&z)) {
    *n = constrain::meet(*n, std::get<number_shape>(y));
  } else if (auto* s = std::get_if<string_shape>(&z)) {
    auto& t = std::get<string_shape>(y);
    s->least = std::max(s->least, t.least);
    s->most = std::min(s->most, t.most);
    if (!s->language)
      s->language = t.language;
    else if (t.language && s->language != t.language)
      s->language = share(both(*s->language, *t.language, meter_));
    s->formats.insert(s->formats.end(), t.formats.begin(), t.formats.end());
  } else if (auto* a = std::get_if<array_shape>(&z)) {
    *a = constrain::meet(*a, std::get<array_shape>(y));
  } else if (auto* o = std::get_if<object_shape>(&z)) {
    meter_.spend(8 * std::get<object_shape>(y).parts.size());
    *o = constrain::meet(std::move(*o), std::get<object_shape>(y));
  }
}

schema_shapes shape_algebra::intersect(const schema_shapes& a,
                                       const schema_shapes& b) const {
  auto c = schema_shapes{{}, a.exact && b.exact};
  for (auto& x : a.any)
    for (auto& y : b.any)
      meet(x, y, c.any);
  return c;
}

schema_shapes shape_algebra::subtract(const schema_shapes& a,
                                      const schema_shapes& b) const {
  auto left = a;
  for (auto& y : b.any) {
    auto next = schema_shapes{{}, left.exact};
    for (auto& x : left.any) {
      auto rest = minus(x, y);
      next.exact = next.exact && rest.exact;
      for (auto& r : rest.any)
        next.any.emplace_back(std::move(r));
    }
    left = std::move(next);
    if (meter_.spent())
      return {};
  }
  return left;
}

schema_shapes shape_algebra::minus(const schema_shape& x,
                                   const schema_shape& y) const {
  auto to = schema_shapes{};
  meet(x, y, to.any);
  if (to.any.empty()) { // they share nothing
    to.any.emplace_back(x);
    return to;
  }
  to.any.clear();
  std::visit(
      [&](auto& a) {
        using type = std::decay_t<decltype(a)>;
        if constexpr (!std::is_same_v<type, null_shape>)
          minus(a, std::get<type>(y), to);
      },
      x);
  std::erase_if(to.any, [&](auto& s) { return is_empty(s); });
  return to;
}

void shape_algebra::minus(const boolean_shape& a, const boolean_shape& b,
                          schema_shapes& to) const {
  to.any.emplace_back(boolean_shape{a.yes && !b.yes, a.no && !b.no});
}

void shape_algebra::minus(const number_shape& a, const number_shape& b,
                          schema_shapes& to) const {
  if (a.values) {
    auto c = a, bounds = b;
    bounds.divisors.clear();
    to.exact = b.divisors.empty();
    std::erase_if(*c.values, [&](auto& d) { return bounds.holds(d); });
    to.any.emplace_back(std::move(c));
    return;
  }
  // What `b` says beyond its bounds can't be turned round.
  to.exact = (!b.integer || a.integer) && b.divisors.empty() && !b.values;
  auto add = [&](const number_shape& side) {
    to.any.emplace_back(constrain::meet(a, side));
  };
  auto side = number_shape{};
  if (b.low) {
    side.high = number_bound{b.low->value, !b.low->open};
    add(side);
  }
  side = {};
  if (b.high) {
    side.low = number_bound{b.high->value, !b.high->open};
    add(side);
  }
}

void shape_algebra::minus(const string_shape& a, const string_shape& b,
                          schema_shapes& to) const {
  auto add = [&](const string_shape& other) { meet(a, other, to.any); };
  to.exact = b.formats.empty();
  if (b.least > 0)
    add({0, b.least - 1, nullptr, {}});
  if (b.most != no_limit)
    add({b.most + 1, no_limit, nullptr, {}});
  if (b.language)
    add({0, no_limit, share(neither(*b.language, meter_)), {}});
}

void shape_algebra::minus(const array_shape& a, const array_shape& b,
                          schema_shapes& to) const {
  to.exact = free_of_limits(b);
  if (b.least > 0) {
    auto c = a;
    c.most = std::min(c.most, b.least - 1);
    to.any.emplace_back(std::move(c));
  }
  if (b.most != no_limit) {
    auto c = a;
    c.least = std::max(c.least, b.most + 1);
    to.any.emplace_back(std::move(c));
  }
}

// An object is not in `b` if it lacks a name that `b` requires, or has one
// whose value `b` would not allow.
void shape_algebra::minus(const object_shape& a, const object_shape& b,
                          schema_shapes& to) const {
  auto with = [&](const std::string& name, schema_term term, bool required) {
    auto c = a;
    auto part = object_part{};
    part.named.push_back({name, {term}});
    c.parts.push_back(std::move(part));
    if (required)
      c.required.insert(name);
    to.any.emplace_back(std::move(c));
    meter_.spend(16, 256);
  };
  for (auto& name : b.required)
    if (!a.required.contains(name))
      with(name, never_, false);
  for (auto& part : b.parts) {
    for (auto& [name, terms] : part.named)
      for (auto& t : terms)
        with(name, {t.node, !t.negated}, true);
    if (!part.patterns.empty() || !part.others.empty())
      to.exact = false;
  }
  if (b.least > 0 || b.most != no_limit || !b.names.empty())
    to.exact = false;
}

} // namespace troupe::constrain
