#include "core/schema/check_state.hpp"

#include <algorithm>

#include "core/schema/tape_compare.hpp"

namespace troupe::schema {

bool check_state::quickly() {
  return run<false>(0, 0, unmarked);
}

bool check_state::thoroughly() {
  return run<true>(0, 0, unmarked);
}

// -- marks --------------------------------------------------------------------

check_state::marks check_state::open_marks(uint32_t size) {
  auto at = static_cast<marks>(memory_.marks.size());
  auto words = (size + 63) / 64;
  spend(words / 8);
  memory_.marks.resize(at + words);
  return at;
}

// What was marked last is closed; `to` is what was open before it.
void check_state::merge(marks from, marks to) {
  auto& all = memory_.marks;
  for (size_t i = 0; from + i < all.size() && to != unmarked; ++i)
    all[to + i] |= all[from + i];
}

// -- arrays -------------------------------------------------------------------

template <bool Collect>
bool check_state::items_hold(const step& s, const spot& x) {
  auto& rule = p_.items[s.a];
  auto ok = true;
  auto end = nodes_[x.at].end;
  auto i = uint32_t{0};
  for (auto at = x.at + 1; at < end; at = next_value(nodes_, at), ++i) {
    auto schema =
        i < rule.prefix.count ? p_.lists[rule.prefix.begin + i] : rule.rest;
    if (schema == no_schema)
      break;
    if (!run<Collect>(schema, at, unmarked)) {
      if (!Collect || stopped())
        return false;
      ok = false;
    }
    mark(x.to, i);
  }
  return ok;
}

bool check_state::contains_holds(const step& s, const spot& x) {
  auto& rule = p_.contains[s.a];
  auto found = uint64_t{0};
  auto end = nodes_[x.at].end;
  auto i = uint32_t{0};
  for (auto at = x.at + 1; at < end; at = next_value(nodes_, at), ++i) {
    if (stopped())
      return false;
    if (run<false>(rule.schema, at, unmarked)) {
      mark(x.to, i);
      if (++found > rule.most)
        return false;
    }
    if (x.to == unmarked && rule.most >= nodes_[x.at].size
        && found >= rule.least)
      return true;
  }
  return found >= rule.least;
}

template <bool Collect>
bool check_state::array_holds(const step& s, const spot& x) {
  auto& n = nodes_[x.at];
  switch (s.word) {
  case keyword::min_items:
    return n.size >= s.b || refuse<Collect>(x);
  case keyword::max_items:
    return n.size <= s.b || refuse<Collect>(x);
  case keyword::items:
    return items_hold<Collect>(s, x);
  case keyword::contains:
    return contains_holds(s, x) || refuse<Collect>(x);
  default:
    break;
  }
  spend_on(x.at);
  if (stopped())
    return false;
  auto repeated = find_repeated({nodes_, x.at});
  return repeated == not_repeated || refuse<Collect>(x, repeated);
}

// -- for any value ------------------------------------------------------------

bool check_state::branch(uint32_t schema, const spot& x) {
  if (x.to == unmarked)
    return run<false>(schema, x.at, unmarked);
  // What a schema that fails has marked must not count.
  auto own = open_marks(nodes_[x.at].size);
  auto ok = run<false>(schema, x.at, own);
  if (ok)
    merge(own, x.to);
  memory_.marks.resize(own);
  return ok;
}

template <bool Collect>
bool check_state::all_of_holds(const step& s, const spot& x) {
  auto ok = true;
  for (uint64_t i = 0; i < s.b; ++i)
    if (!run<Collect>(p_.lists[s.a + i], x.at, x.to)) {
      if (!Collect || stopped())
        return false;
      ok = false;
    }
  return ok;
}

bool check_state::some_of_holds(const step& s, const spot& x, bool one) {
  auto found = 0;
  for (uint64_t i = 0; i < s.b && !stopped(); ++i) {
    found += branch(p_.lists[s.a + i], x);
    if (one && found > 1)
      return false;
    // The others may mark more.
    if (!one && found > 0 && x.to == unmarked)
      return true;
  }
  return found > 0;
}

template <bool Collect>
bool check_state::condition_holds(const step& s, const spot& x) {
  auto next = p_.lists[s.b + (branch(s.a, x) ? 0 : 1)];
  return next == no_schema || run<Collect>(next, x.at, x.to);
}

template <bool Collect>
bool check_state::dynamic_holds(const step& s, const spot& x) {
  auto& targets = p_.dynamics[s.a].targets;
  auto to = static_cast<uint32_t>(s.b);
  // The outermost resource on the way here that has such an anchor.
  for (auto resource : memory_.scope) {
    spend(1);
    auto at = std::lower_bound(targets.begin(), targets.end(),
                               std::pair{resource, uint32_t{0}});
    if (at != targets.end() && at->first == resource) {
      to = at->second;
      break;
    }
  }
  auto& way = memory_.dynamic;
  for (auto i = way.rbegin(); i != way.rend() && i->second == x.at; ++i)
    if (i->first == to) {
      stop(check_end::endless);
      return false;
    }
  way.emplace_back(to, x.at);
  auto ok = run<Collect>(to, x.at, x.to);
  way.pop_back();
  return ok;
}

template <bool Collect>
bool check_state::any_holds(const step& s, const spot& x) {
  switch (s.word) {
  case keyword::ref:
    return run<Collect>(s.a, x.at, x.to);
  case keyword::const_: {
    auto* values = p_.documents[s.a].tape.data();
    spend_on(x.at);
    return equal_values({nodes_, x.at}, {values, static_cast<uint32_t>(s.b)})
           || refuse<Collect>(x);
  }
  case keyword::enum_:
    return choice_holds(p_.choices[s.a], x.at) || refuse<Collect>(x);
  case keyword::all_of:
    return all_of_holds<Collect>(s, x);
  case keyword::any_of:
    return some_of_holds(s, x, false) || refuse<Collect>(x);
  case keyword::one_of:
    return some_of_holds(s, x, true) || refuse<Collect>(x);
  case keyword::not_:
    return !run<false>(s.a, x.at, unmarked) || refuse<Collect>(x);
  case keyword::if_:
    return condition_holds<Collect>(s, x);
  default:
    return dynamic_holds<Collect>(s, x);
  }
}

template <bool Collect>
bool check_state::last_holds(const step& s, const spot& x) {
  auto object = s.word == keyword::unevaluated_properties;
  if (nodes_[x.at].kind != (object ? json_kind::object : json_kind::array))
    return true;
  auto ok = true;
  auto end = nodes_[x.at].end;
  auto i = uint32_t{0};
  for (auto at = x.at + 1; at < end; at = next_value(nodes_, at), ++i) {
    at += object;
    if (marked(x.to, i))
      continue;
    if (!run<Collect>(s.a, at, unmarked)) {
      if (!Collect || stopped())
        return false;
      ok = false;
    }
    mark(x.to, i);
  }
  return ok;
}

// -- schemas ------------------------------------------------------------------

template <bool Collect>
bool check_state::holds(section part, const step& s, const spot& x) {
  auto& n = nodes_[x.at];
  switch (part) {
  case of_numbers:
    return number_holds(s, n) || refuse<Collect>(x);
  case of_strings:
    return string_holds(s, n) || refuse<Collect>(x);
  case of_arrays:
    return array_holds<Collect>(s, x);
  case of_objects:
    return object_holds<Collect>(s, x);
  case of_all:
    return any_holds<Collect>(s, x);
  default:
    return last_holds<Collect>(s, x);
  }
}

template <bool Collect>
bool check_state::section_holds(section part, uint32_t schema, uint32_t at,
                                marks to) {
  auto& s = p_.schemas[schema];
  auto ok = true;
  for (auto i = s.steps[part]; i < s.steps[part + 1]; ++i) {
    if (!holds<Collect>(part, p_.steps[i], {schema, i, at, to})) {
      if (!Collect)
        return false;
      ok = false;
    }
    if (stopped())
      return false;
  }
  return ok;
}

template <bool Collect>
bool check_state::apply(uint32_t schema, uint32_t at, marks to) {
  constexpr auto parts = std::array{
      at_last,    at_last,    at_last,   of_numbers,
      of_numbers, of_strings, of_arrays, of_objects,
  };
  auto& s = p_.schemas[schema];
  auto& n = nodes_[at];
  auto ok = true;
  if (!(s.kinds >> static_cast<unsigned>(n.kind) & 1)) {
    auto integers = s.kinds >> static_cast<unsigned>(json_kind::integer) & 1;
    if (!integers || n.kind != json_kind::decimal
        || !decimal{n.view()}.is_integer())
      ok = refuse<Collect>({schema, no_step, at, to});
    if (!ok && !Collect)
      return false;
  }
  if (auto part = parts[static_cast<size_t>(n.kind)]; part != at_last)
    ok = section_holds<Collect>(part, schema, at, to) && ok;
  if ((!ok && !Collect) || stopped())
    return false;
  return section_holds<Collect>(of_all, schema, at, to) && ok;
}

// With marks of its own, for what asks for them at its end.
template <bool Collect>
bool check_state::apply_last(uint32_t schema, uint32_t at, marks to) {
  if (nodes_[at].kind < json_kind::array)
    return apply<Collect>(schema, at, to);
  auto own = open_marks(nodes_[at].size);
  auto ok = apply<Collect>(schema, at, own)
            && section_holds<Collect>(at_last, schema, at, own);
  if (ok)
    merge(own, to);
  memory_.marks.resize(own);
  return ok;
}

template <bool Collect>
bool check_state::run(uint32_t schema, uint32_t at, marks to) {
  spend(1);
  if (level_ >= deepest)
    stop(check_end::too_deep);
  if (stopped())
    return false;
  auto& s = p_.schemas[schema];
  auto enters =
      !p_.dynamics.empty()
      && (memory_.scope.empty() || memory_.scope.back() != s.resource);
  if (enters)
    memory_.scope.push_back(s.resource);
  ++level_;
  auto ok = s.steps[at_last] == s.steps[sections]
                ? apply<Collect>(schema, at, to)
                : apply_last<Collect>(schema, at, to);
  --level_;
  if (enters)
    memory_.scope.pop_back();
  return ok;
}

template bool check_state::run<false>(uint32_t, uint32_t, marks);
template bool check_state::run<true>(uint32_t, uint32_t, marks);

} // namespace troupe::schema
