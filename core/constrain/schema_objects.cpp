#include <algorithm>

#include "core/constrain/schema_grammar.hpp"

namespace troupe::constrain {

namespace {

constexpr auto most_patterns = size_t{6};
constexpr auto most_words = size_t{64};

struct named_pattern {
  std::shared_ptr<const text_dfa> names;
  size_t part;
  schema_terms value;
};

std::vector<named_pattern> patterns_of(const object_shape& o) {
  auto all = std::vector<named_pattern>{};
  for (auto i = size_t{0}; i < o.parts.size(); ++i)
    for (auto& p : o.parts[i].patterns)
      all.push_back({p.names, i, p.value});
  return all;
}

std::vector<std::string> names_of(const object_shape& o) {
  auto all = std::vector<std::string>{};
  auto seen = std::set<std::string>{};
  for (auto& part : o.parts)
    for (auto& [name, terms] : part.named)
      if (seen.insert(name).second)
        all.push_back(name);
  for (auto& name : o.required)
    if (seen.insert(name).second)
      all.push_back(name);
  return all;
}

} // namespace

void schema_grammar::write_object(node from, node to, const object_shape& o) {
  auto groups = other_members(o, names_of(o));
  if (reader_.failed())
    return;
  auto known = known_members(o, groups);
  auto begin = gap(builder_.text(from, "{"));
  auto end = builder_.add_node();
  builder_.text(gap(end), "}", to);
  if (o.least == 0 && o.required.empty())
    builder_.skip(begin, end);
  if (o.most == 0 || o.least > o.most || (known.empty() && groups.empty()))
    return;
  auto rule = builder_.add_rule("members");
  builder_.call(begin, rule, end);
  write_members(rule, o, known, groups);
}

// Members of which the schema gives names; and groups that have few names.
std::vector<schema_grammar::known_member>
schema_grammar::known_members(const object_shape& o,
                              std::vector<member_group>& groups) {
  auto all = std::vector<known_member>{};
  auto add = [&](const std::string& name, const schema_terms& terms) {
    auto fits = std::all_of(o.names.begin(), o.names.end(),
                            [&](auto& n) { return n->accepts(name); });
    // What is required and impossible makes the whole object impossible.
    auto required = o.required.contains(name);
    if (required || (fits && !never(terms)))
      all.push_back({name, required,
                     fits ? rule_for(terms) : builder_.add_rule("nothing")});
  };
  for (auto& name : names_of(o))
    add(name, member_terms(o, name));
  std::erase_if(groups, [&](auto& g) {
    auto words = words_of(g.names, most_words);
    if (words)
      for (auto& name : *words)
        add(name, g.value);
    return words.has_value();
  });
  for (auto& g : groups)
    if (!is_endless(g.names))
      refuse("patternProperties or propertyNames: names of bounded length "
             "cannot be enforced, since none may stand twice");
  return all;
}

// Names that the schema does not give, by the patterns that they match.
std::vector<schema_grammar::member_group>
schema_grammar::other_members(const object_shape& o,
                              std::vector<std::string> known) {
  auto groups = std::vector<member_group>{};
  auto patterns = patterns_of(o);
  if (patterns.size() > most_patterns) {
    refuse("patternProperties: more than 6 patterns for one object");
    return groups;
  }
  auto open = options_.open_objects || (known.empty() && patterns.empty());
  for (auto& part : o.parts)
    open = open || part.says_others;
  known.push_back(""); // which no other member has
  auto rest = neither(tidy(one_of(known, meter_), meter_), meter_);
  for (auto& n : o.names)
    rest = both(rest, *n, meter_);
  for (auto set = 0u; set < 1u << patterns.size() && !meter_.spent(); ++set) {
    if (set == 0 && !open)
      continue;
    auto names = rest;
    auto value = schema_terms{};
    auto matched = std::set<size_t>{};
    for (auto i = size_t{0}; i < patterns.size(); ++i) {
      auto& p = patterns[i];
      auto in = (set >> i & 1) != 0;
      names = both(names, in ? *p.names : neither(*p.names, meter_), meter_);
      if (in) {
        value = join(value, p.value);
        matched.insert(p.part);
      }
    }
    for (auto i = size_t{0}; i < o.parts.size(); ++i)
      if (!matched.contains(i))
        value = join(value, o.parts[i].others);
    if (!names.empty() && !never(value))
      groups.push_back({std::move(names), std::move(value)});
  }
  return groups;
}

// A grid of nodes: which of the known members may come next, and how many have
// been written, as far as that matters.
void schema_grammar::write_members(rule_id rule, const object_shape& o,
                                   const std::vector<known_member>& known,
                                   const std::vector<member_group>& others) {
  auto n = known.size();
  auto most = others.empty() && o.most >= n ? no_limit : o.most;
  auto cap = std::max<uint64_t>(most == no_limit ? 1 : most, o.least);
  if (!meter_.spend((n + 1) * (std::min<uint64_t>(cap, 1 << 24) + 1)))
    return;
  auto width = static_cast<size_t>(cap) + 1;
  auto grid = std::vector<node>{};
  for (auto i = size_t{0}; i < (n + 1) * width && !meter_.spent(); ++i)
    grid.push_back(builder_.add_node());
  if (meter_.spent())
    return;
  auto at = [&](size_t i, size_t c) { return grid[i * width + c]; };
  auto next = [&](size_t c) { return std::min(c + 1, width - 1); };
  auto may_add = [&](size_t c) { return most == no_limit || c < most; };
  builder_.skip(builder_.start(rule), at(0, 0));
  // Where a member begins, by how many there are behind it.
  auto member = [&](auto& begins, size_t c, auto&& write) {
    auto& begin = begins[next(c)];
    if (!begin) {
      begin = builder_.add_node();
      write(*begin);
    }
    return *begin;
  };
  auto enter = [&](node from, size_t c, node begin) {
    builder_.skip(c > 0 ? gap(builder_.text(from, ",")) : from, begin);
  };
  for (auto i = size_t{0}; i < n; ++i) {
    auto begins = std::vector<std::optional<node>>(width);
    for (auto c = size_t{0}; c < width && !meter_.spent(); ++c) {
      if (!known[i].required)
        builder_.skip(at(i, c), at(i + 1, c));
      if (!may_add(c))
        continue;
      auto begin = member(begins, c, [&](node b) {
        auto name = builder_.text(b, "\"");
        auto end = builder_.add_node();
        builder_.language(name, one_of({&known[i].name, 1}, meter_), end,
                          text_form::json);
        builder_.call(gap(builder_.text(end, "\":")), known[i].value,
                      at(i + 1, next(c)));
      });
      enter(at(i, c), c, begin);
    }
  }
  auto keys = std::vector<rule_id>{};
  for (auto& g : others) {
    auto key = builder_.add_rule("name");
    builder_.set_unique(key);
    builder_.language(builder_.start(key), g.names, builder_.finish(key),
                      text_form::json);
    keys.push_back(key);
  }
  for (auto k = size_t{0}; k < keys.size(); ++k) {
    auto begins = std::vector<std::optional<node>>(width);
    for (auto c = size_t{0}; c < width && !meter_.spent(); ++c) {
      if (!may_add(c))
        continue;
      auto begin = member(begins, c, [&](node b) {
        auto end = builder_.add_node();
        builder_.call(builder_.text(b, "\""), keys[k], end);
        builder_.call(gap(builder_.text(end, "\":")), rule_for(others[k].value),
                      at(n, next(c)));
      });
      enter(at(n, c), c, begin);
    }
  }
  for (auto c = size_t{0}; c < width && !meter_.spent(); ++c)
    if (c >= o.least && c > 0)
      builder_.skip(at(n, c), builder_.finish(rule));
}

} // namespace troupe::constrain
