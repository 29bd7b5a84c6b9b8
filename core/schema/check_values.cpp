// Steps that look at one value and lead to no other schema.

#include <algorithm>

#include "core/schema/check_state.hpp"
#include "core/schema/tape_compare.hpp"
#include "core/schema/utf8_scan.hpp"

namespace troupe::schema {

void check_state::spend_on(uint32_t at) {
  auto& n = nodes_[at];
  if (n.kind == json_kind::string || n.kind == json_kind::decimal)
    spend(n.size / 64);
  else
    spend(next_value(nodes_, at) - at);
}

bool check_state::bound_holds(const step& s, const json_node& n) const {
  auto& bound = p_.bounds[s.a];
  auto c = 0;
  if (n.kind == json_kind::integer && bound.small)
    c = n.integer < *bound.small ? -1 : n.integer > *bound.small;
  else if (n.kind == json_kind::integer)
    c = compare(decimal{n.integer}, bound.exact);
  else
    c = compare(decimal{n.view()}, bound.exact);
  switch (s.word) {
  case keyword::minimum:
    return c >= 0;
  case keyword::exclusive_minimum:
    return c > 0;
  case keyword::maximum:
    return c <= 0;
  default:
    return c < 0;
  }
}

bool check_state::number_holds(const step& s, const json_node& n) const {
  if (s.word != keyword::multiple_of)
    return bound_holds(s, n);
  auto& d = p_.divisors[s.a];
  return n.kind == json_kind::integer ? d.divides(n.integer)
                                      : d.divides(decimal{n.view()});
}

bool check_state::string_holds(const step& s, const json_node& n) {
  spend(n.size / 64);
  switch (s.word) {
  case keyword::min_length:
    // A code point is one byte to four.
    return n.size >= s.b
           && (n.size / 4 >= s.b || count_code_points(n.view()) >= s.b);
  case keyword::max_length:
    return n.size <= s.b
           || (n.size / 4 <= s.b && count_code_points(n.view()) <= s.b);
  case keyword::pattern: {
    auto& p = p_.patterns[s.a];
    spend(uint64_t{n.size} * p.size() / 32 + 8);
    return !stopped() && p.matches(n.view());
  }
  default:
    spend(n.size / 4);
    return has_format(n.view(), static_cast<format_kind>(s.a));
  }
}

bool check_state::choice_holds(const choice_rule& rule, uint32_t at) {
  auto* values = p_.documents[rule.document].tape.data();
  auto x = tape_value{nodes_, at};
  spend_on(at);
  if (rule.by_hash.empty()) {
    auto& array = values[rule.array];
    auto end = array.end;
    for (auto i = rule.array + 1; i < end; i = next_value(values, i))
      if (equal_values(x, {values, i}))
        return true;
    return false;
  }
  auto hash = hash_value(x);
  auto& all = rule.by_hash;
  for (auto i = std::lower_bound(all.begin(), all.end(),
                                 std::pair{hash, uint32_t{0}});
       i != all.end() && i->first == hash; ++i) {
    spend_on(at);
    if (equal_values(x, {values, i->second}))
      return true;
  }
  return false;
}

} // namespace troupe::schema
