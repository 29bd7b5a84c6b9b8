// Keywords that lead to other schemas for the same value.

#include <algorithm>

#include "core/schema/compile_state.hpp"
#include "core/schema/uri_reference.hpp"

namespace troupe::schema {

bool compile_state::reference(keyword word) {
  auto n = at(word);
  if (n == 0)
    return true;
  if (node(n).kind != json_kind::string)
    return refuse(n, "must be a URL in a string");
  auto target = documents_.resolve(resource_, node(n).view());
  if (!target)
    return refuse(n, target.failure().message, target.failure().code);
  auto fragment = percent_decode(
      split_uri(node(n).view()).fragment.value_or(std::string_view{}));
  if (word == keyword::dynamic_ref)
    return add_dynamic(n, *target, fragment);
  add(of_all, {word, want(*target)});
  return !why_;
}

// Where it stands it must name a dynamic anchor; else it is a plain reference.
bool compile_state::add_dynamic(uint32_t n, place target,
                                std::string_view fragment) {
  auto schema = want(target);
  auto anchor = documents_.dynamic_anchor_at(target);
  if (anchor.empty() || anchor != fragment) {
    add(of_all, {keyword::ref, schema, n});
    return !why_;
  }
  auto [known, added] = known_dynamics_.emplace(
      anchor, static_cast<uint32_t>(out_.dynamics.size()));
  if (added) {
    out_.dynamics.push_back({anchor, {}});
    anchors_done_ = 0; // look at all of them again
    for (auto& rule : out_.dynamics)
      rule.targets.clear();
  }
  add(of_all, {keyword::dynamic_ref, known->second, schema});
  return !why_;
}

void compile_state::find_targets() {
  auto& anchors = documents_.dynamic_anchors();
  auto before = anchors_done_;
  for (; anchors_done_ < anchors.size(); ++anchors_done_) {
    auto& a = anchors[anchors_done_];
    auto known = known_dynamics_.find(a.name);
    if (known == known_dynamics_.end())
      continue;
    auto document = documents_.at(a.resource).root.document;
    auto schema = want({document, a.node});
    out_.dynamics[known->second].targets.emplace_back(a.resource, schema);
  }
  if (before != anchors_done_)
    for (auto& rule : out_.dynamics)
      std::sort(rule.targets.begin(), rule.targets.end());
}

bool compile_state::references() {
  return reference(keyword::ref) && reference(keyword::dynamic_ref);
}

bool compile_state::combinations() {
  for (auto word : {keyword::all_of, keyword::any_of, keyword::one_of})
    if (at(word) != 0) {
      auto list = list_of{};
      if (!schema_list(word, list))
        return false;
      add(of_all, {word, list.begin, list.count});
    }
  if (auto n = at(keyword::not_))
    add(of_all, {keyword::not_, want({here_.document, n})});
  auto branch = [&](keyword word) {
    auto n = at(word);
    return n != 0 ? want({here_.document, n}) : no_schema;
  };
  auto condition = branch(keyword::if_);
  auto then = branch(keyword::then);
  auto otherwise = branch(keyword::else_);
  if (condition != no_schema) {
    add(of_all, {keyword::if_, condition, out_.lists.size()});
    out_.lists.push_back(then);
    out_.lists.push_back(otherwise);
  }
  return !why_;
}

bool compile_state::unevaluated() {
  if (auto n = at(keyword::unevaluated_items))
    add(at_last, {keyword::unevaluated_items, want({here_.document, n})});
  if (auto n = at(keyword::unevaluated_properties))
    add(at_last, {keyword::unevaluated_properties, want({here_.document, n})});
  return !why_;
}

// A schema that is nothing but a reference becomes what it refers to, unless
// the way there counts.
void compile_state::shorten_references() {
  if (!out_.dynamics.empty())
    return;
  auto target = [&](const compiled_schema& s) -> uint32_t {
    if (s.kinds != all_kinds || s.steps[sections] - s.steps[0] != 1)
      return no_schema;
    auto& only = out_.steps[s.steps[0]];
    return only.word == keyword::ref ? only.a : no_schema;
  };
  // They do not go in a circle: `refuse_endless` has seen to it. Each is looked
  // at once, since those on the way to the last one are shortened with it.
  auto way = std::vector<uint32_t>{};
  for (uint32_t i = 0; i < out_.schemas.size(); ++i) {
    auto last = i;
    way.clear();
    for (auto t = target(out_.schemas[i]); t != no_schema;
         t = target(out_.schemas[t])) {
      way.push_back(last);
      last = t;
    }
    for (auto from : way)
      out_.schemas[from] = compiled_schema{out_.schemas[last]};
  }
}

} // namespace troupe::schema
