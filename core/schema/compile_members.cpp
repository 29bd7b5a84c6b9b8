// Keywords about the members of objects.

#include <algorithm>
#include <map>

#include "core/base/bytes.hpp"
#include "core/schema/compile_state.hpp"

namespace troupe::schema {

uint64_t mark_of(std::string_view key) {
  auto size = uint64_t{std::min<size_t>(key.size(), 0xff)} << 56;
  auto* p = key.data();
  if (key.size() >= 8)
    return size | (load_unaligned<uint64_t>(p) & ~uint64_t{0} >> 8);
  if (key.size() >= 4)
    return size | load_unaligned<uint32_t>(p)
           | uint64_t{load_unaligned<uint32_t>(p + key.size() - 4)}
                 << 8 * (key.size() - 4);
  auto head = uint64_t{0};
  for (size_t i = 0; i < key.size(); ++i)
    head |= uint64_t{static_cast<unsigned char>(p[i])} << 8 * i;
  return size | head;
}

bool compile_state::names(members_rule& rule) {
  auto all = std::map<std::string_view, named_member>{};
  if (auto n = at(keyword::properties)) {
    if (!must_be_object(n))
      return false;
    rule.marks = true;
    for (auto key = n + 1; key < node(n).end; key = tape_->behind(key + 1))
      all[node(key).view()].schema = want({here_.document, key + 1});
  }
  if (auto n = at(keyword::required)) {
    auto texts = std::vector<std::string_view>{};
    if (!text_list(n, texts))
      return false;
    for (auto text : texts)
      all[text].required = true;
  }
  rule.names = {static_cast<uint32_t>(out_.names.size()),
                static_cast<uint32_t>(all.size())};
  for (auto& [key, member] : all) {
    member.key = key;
    member.mark = mark_of(key);
    rule.required += member.required;
    out_.names.push_back(member);
  }
  std::sort(out_.names.begin() + rule.names.begin, out_.names.end(),
            [](auto& a, auto& b) {
              return a.mark != b.mark ? a.mark < b.mark : a.key < b.key;
            });
  return !why_;
}

bool compile_state::name_patterns(members_rule& rule) {
  auto n = at(keyword::pattern_properties);
  if (n == 0)
    return true;
  if (!must_be_object(n))
    return false;
  rule.marks = true;
  rule.patterns = {static_cast<uint32_t>(out_.lists.size()), node(n).size};
  for (auto key = n + 1; key < node(n).end; key = tape_->behind(key + 1)) {
    auto index = uint32_t{0};
    if (!add_pattern(key + 1, node(key).view(), index))
      return false;
    out_.lists.push_back(index);
    out_.lists.push_back(want({here_.document, key + 1}));
  }
  return !why_;
}

bool compile_state::objects() {
  if (!limit(keyword::min_properties, of_objects)
      || !limit(keyword::max_properties, of_objects))
    return false;
  auto rule = members_rule{};
  if (!names(rule) || !name_patterns(rule))
    return false;
  if (auto n = at(keyword::additional_properties)) {
    rule.marks = true;
    rule.rest = want({here_.document, n});
  }
  if (auto n = at(keyword::property_names))
    rule.of_keys = want({here_.document, n});
  if (rule.marks || rule.required > 0 || rule.of_keys != no_schema) {
    add(of_objects,
        {keyword::properties, static_cast<uint32_t>(out_.members.size())});
    out_.members.push_back(rule);
  }
  return dependencies(keyword::dependent_required)
         && dependencies(keyword::dependent_schemas)
         && dependencies(keyword::dependencies);
}

// Each member's value is an array of names, or a schema.
bool compile_state::dependencies(keyword word) {
  auto n = at(word);
  if (n == 0)
    return true;
  if (!must_be_object(n))
    return false;
  for (auto key = n + 1; key < node(n).end; key = tape_->behind(key + 1)) {
    auto rule = dependent_rule{node(key).view(), {}};
    auto index = static_cast<uint32_t>(out_.dependents.size());
    auto is_list = node(key + 1).kind == json_kind::array;
    if (word == keyword::dependent_required
        || (word == keyword::dependencies && is_list)) {
      if (!text_list(key + 1, rule.names))
        return false;
      add(of_objects, {keyword::dependent_required, index, key + 1});
    } else {
      auto schema = want({here_.document, key + 1});
      add(of_objects, {keyword::dependent_schemas, index, schema});
    }
    out_.dependents.push_back(std::move(rule));
  }
  return !why_;
}

} // namespace troupe::schema
