#include <algorithm>

#include "core/schema/check_state.hpp"
#include "core/schema/tape_compare.hpp"

namespace troupe::schema {

namespace {

// More names than these are searched by halves.
constexpr auto few_names = uint32_t{8};

} // namespace

const named_member* check_state::find_name(const members_rule& rule,
                                           std::string_view key) const {
  auto* begin = p_.names.data() + rule.names.begin;
  auto* end = begin + rule.names.count;
  auto mark = mark_of(key);
  if (rule.names.count <= few_names) {
    for (auto* i = begin; i != end; ++i)
      if (i->mark == mark && i->key == key)
        return i;
    return nullptr;
  }
  auto* at = std::lower_bound(begin, end, mark, [&](auto& n, uint64_t m) {
    return n.mark != m ? n.mark < m : n.key < key;
  });
  return at != end && at->key == key ? at : nullptr;
}

template <bool Collect>
bool check_state::member_holds(const members_rule& rule, const spot& x,
                               uint32_t key, uint32_t ordinal,
                               uint32_t& required) {
  auto ok = true;
  auto looked_at = false;
  auto value_holds = [&](uint32_t schema) {
    looked_at = true;
    ok = run<Collect>(schema, key + 1, unmarked) && ok;
    return ok || Collect;
  };
  auto name = nodes_[key].view();
  if (auto* n = find_name(rule, name)) {
    required += n->required;
    if (n->schema != no_schema && !value_holds(n->schema))
      return false;
  }
  for (uint32_t i = 0; i < rule.patterns.count; ++i) {
    auto* pair = p_.lists.data() + rule.patterns.begin + 2 * i;
    auto& p = p_.patterns[pair[0]];
    spend(name.size() * p.size() / 32 + 8);
    if (stopped())
      return false;
    if (p.matches(name) && !value_holds(pair[1]))
      return false;
  }
  if (!looked_at && rule.rest != no_schema && !value_holds(rule.rest))
    return false;
  if (looked_at)
    mark(x.to, ordinal);
  if (rule.of_keys != no_schema)
    ok = run<Collect>(rule.of_keys, key, unmarked) && ok;
  return ok;
}

template <bool Collect>
bool check_state::required_hold(const members_rule& rule, const spot& x) {
  if (!Collect)
    return false;
  for (uint32_t i = 0; i < rule.names.count && !stopped(); ++i) {
    auto& name = p_.names[rule.names.begin + i];
    spend(nodes_[x.at].size / 4);
    if (name.required && tape_.member(x.at, name.key) == 0)
      refuse<Collect>(x, rule.names.begin + i);
  }
  return false;
}

template <bool Collect>
bool check_state::members_hold(const step& s, const spot& x) {
  auto& rule = p_.members[s.a];
  auto& n = nodes_[x.at];
  if (!Collect && n.size < rule.required)
    return false;
  auto ok = true;
  auto required = uint32_t{0};
  auto ordinal = uint32_t{0};
  for (auto key = x.at + 1; key < n.end;
       key = next_value(nodes_, key + 1), ++ordinal) {
    if (!member_holds<Collect>(rule, x, key, ordinal, required)) {
      if (!Collect || stopped())
        return false;
      ok = false;
    }
  }
  spend(ordinal / 4);
  // Keys are there once each, so their number tells.
  if (required != rule.required)
    return required_hold<Collect>(rule, x);
  return ok;
}

template <bool Collect>
bool check_state::dependent_holds(const step& s, const spot& x) {
  auto& rule = p_.dependents[s.a];
  auto n = nodes_[x.at].size;
  spend(n / 4 + 1);
  if (tape_.member(x.at, rule.key) == 0)
    return true;
  if (s.word == keyword::dependent_schemas)
    return run<Collect>(static_cast<uint32_t>(s.b), x.at, x.to);
  auto ok = true;
  for (size_t i = 0; i < rule.names.size() && !stopped(); ++i) {
    spend(n / 4 + 1);
    if (tape_.member(x.at, rule.names[i]) == 0)
      ok = refuse<Collect>(x, i);
    if (!ok && !Collect)
      return false;
  }
  return ok;
}

template <bool Collect>
bool check_state::object_holds(const step& s, const spot& x) {
  auto& n = nodes_[x.at];
  switch (s.word) {
  case keyword::min_properties:
    return n.size >= s.b || refuse<Collect>(x);
  case keyword::max_properties:
    return n.size <= s.b || refuse<Collect>(x);
  case keyword::properties:
    return members_hold<Collect>(s, x);
  default:
    return dependent_holds<Collect>(s, x);
  }
}

template bool check_state::object_holds<false>(const step&, const spot&);
template bool check_state::object_holds<true>(const step&, const spot&);

} // namespace troupe::schema
