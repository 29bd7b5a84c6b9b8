#include <algorithm>

#include "core/constrain/schema_reader.hpp"
#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

// All but objects; and objects with one more condition.
schema_shapes other_types() {
  auto all = shape_algebra::all();
  std::erase_if(
      all.any, [](auto& s) { return std::holds_alternative<object_shape>(s); });
  return all;
}

std::string decoded(std::string_view fragment) {
  auto hex = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  auto out = std::string{};
  for (auto i = size_t{0}; i < fragment.size(); ++i) {
    if (fragment[i] == '%' && i + 2 < fragment.size()
        && hex(fragment[i + 1]) >= 0 && hex(fragment[i + 2]) >= 0) {
      out +=
          static_cast<char>(hex(fragment[i + 1]) * 16 + hex(fragment[i + 2]));
      i += 2;
    } else {
      out += fragment[i];
    }
  }
  return out;
}

} // namespace

schema_shapes schema_reader::all_of(const json& node, schema_shapes all) {
  auto meet = [&](const schema_shapes& more) {
    if (!failed_)
      all = algebra_.intersect(all, more);
    if (all.any.size() > 256)
      refuse(errc::unsupported, node,
             "more than 256 alternatives: make the schema smaller");
  };
  if (auto* ref = member(node, "$ref")) {
    auto name = ref->is_string() ? ref->get<std::string>() : std::string{};
    if (auto* to = target(node, name))
      meet(*one({to, false}));
  }
  if (auto* list = member(node, "allOf")) {
    if (!list->is_array())
      refuse(errc::invalid_argument, node, "allOf must be a list of schemas");
    for (auto i = size_t{0}; !failed_ && i < list->size(); ++i)
      meet(*one(child(node, "allOf/" + std::to_string(i), (*list)[i])));
  }
  if (auto* list = member(node, "anyOf"); list && !failed_)
    meet(any_of(node, *list));
  if (auto* list = member(node, "oneOf"); list && !failed_)
    meet(one_of(node, *list));
  if (auto* of = member(node, "not"); of && !failed_) {
    child(node, "not", *of);
    meet(opposite(node, "not", *of));
  }
  if (member(node, "if") && !failed_)
    meet(conditional(node));
  for (auto key : {"dependencies", "dependentRequired", "dependentSchemas"})
    if (auto* list = member(node, key); list && !failed_) {
      if (!list->is_object())
        refuse(errc::invalid_argument, node,
               std::string{key} + " must be an object");
      else
        for (auto& [name, needs] : list->items())
          meet(dependency(node, name, needs));
    }
  return all;
}

schema_shapes schema_reader::any_of(const json& node, const json& list) {
  auto all = schema_shapes{};
  if (!list.is_array() || list.empty())
    refuse(errc::invalid_argument, node, "anyOf must be a list of schemas");
  for (auto i = size_t{0}; !failed_ && i < list.size(); ++i) {
    auto branch = one(child(node, "anyOf/" + std::to_string(i), list[i]));
    all.any.insert(all.any.end(), branch->any.begin(), branch->any.end());
    all.exact = all.exact && branch->exact;
  }
  return all;
}

// Each branch without what the others hold.
schema_shapes schema_reader::one_of(const json& node, const json& list) {
  auto branches = std::vector<std::shared_ptr<const schema_shapes>>{};
  if (!list.is_array() || list.empty())
    refuse(errc::invalid_argument, node, "oneOf must be a list of schemas");
  for (auto i = size_t{0}; !failed_ && i < list.size(); ++i)
    branches.push_back(one(child(node, "oneOf/" + std::to_string(i), list[i])));
  auto all = schema_shapes{};
  auto held = false;
  for (auto i = size_t{0}; !failed_ && i < branches.size(); ++i) {
    auto left = *branches[i];
    held = held || !left.any.empty();
    for (auto j = size_t{0}; j < branches.size() && !left.any.empty(); ++j) {
      if (i == j)
        continue;
      if (!branches[j]->exact)
        refuse(errc::unsupported, node,
               "oneOf: what branch " + std::to_string(j)
                   + " does not allow cannot be told: use anyOf");
      left = algebra_.subtract(left, *branches[j]);
      if (left.any.size() > 256)
        refuse(errc::unsupported, node,
               "oneOf: there are too many ways in which its branches differ");
    }
    all.exact = all.exact && left.exact;
    all.any.insert(all.any.end(), left.any.begin(), left.any.end());
  }
  if (held && all.any.empty())
    refuse(errc::unsupported, node,
           "oneOf: its branches overlap, and nothing is seen that only one "
           "allows: use anyOf, or a property that tells them apart");
  return all;
}

schema_shapes schema_reader::opposite(const json& node, const char* keyword,
                                      const json& of) {
  auto inner = one({&of, false});
  if (failed_)
    return {};
  if (!inner->exact) {
    refuse(errc::unsupported, node,
           std::string{keyword} + ": what this allows cannot be told exactly");
    return {};
  }
  auto left = algebra_.subtract(shape_algebra::all(), *inner);
  if (left.any.empty() && !left.exact)
    refuse(errc::unsupported, node,
           std::string{keyword} + ": nothing is seen that this allows");
  return left;
}

schema_shapes schema_reader::conditional(const json& node) {
  auto* then = member(node, "then");
  auto* otherwise = member(node, "else");
  if (!then && !otherwise)
    return shape_algebra::all();
  auto& test = *member(node, "if");
  auto yes = *one(child(node, "if", test));
  auto no = opposite(node, "if", test);
  if (then && !failed_)
    yes = algebra_.intersect(yes, *one(child(node, "then", *then)));
  if (otherwise && !failed_)
    no = algebra_.intersect(no, *one(child(node, "else", *otherwise)));
  yes.any.insert(yes.any.end(), no.any.begin(), no.any.end());
  yes.exact = yes.exact && no.exact;
  return yes;
}

// An object lacks that name, or it has what the name needs.
schema_shapes schema_reader::dependency(const json& node,
                                        const std::string& name,
                                        const json& needs) {
  auto all = other_types();
  auto without = object_shape{};
  auto part = object_part{};
  part.named.push_back({name, {{&never_, false}}});
  without.parts.push_back(std::move(part));
  auto with = object_shape{};
  with.required.insert(name);
  if (needs.is_array()) {
    for (auto& other : needs)
      if (other.is_string())
        with.required.insert(other.get<std::string>());
      else
        refuse(errc::invalid_argument, node,
               "a dependency is a schema or a list of names");
    all.any.emplace_back(std::move(with));
  } else {
    // Drafts up to 4 could name one by itself; what these are not is checked
    // where the schema is read.
    auto both =
        algebra_.intersect({{std::move(with)}, true},
                           *one(child(node, "dependencies/" + name, needs)));
    all.exact = both.exact;
    all.any.insert(all.any.end(), both.any.begin(), both.any.end());
  }
  all.any.emplace_back(std::move(without));
  return all;
}

const nlohmann::ordered_json* schema_reader::target(const json& node,
                                                    const std::string& ref) {
  auto refuse_it = [&](const char* why) -> const json* {
    refuse(errc::unsupported, node, "$ref: " + troupe::quoted(ref) + " " + why);
    return nullptr;
  };
  auto hash = std::min(ref.find('#'), ref.size());
  auto base = ref.substr(0, hash);
  auto is_own = [&](const char* key) {
    auto* id = member(root_, key);
    if (!id || !id->is_string())
      return false;
    auto own = id->get<std::string>();
    return own.substr(0, own.find('#')) == base;
  };
  if (!root_.is_object() || (!base.empty() && !is_own("$id") && !is_own("id")))
    return refuse_it("is not in this document: only #/... is followed");
  if (rebased_.contains(&node))
    return refuse_it("is below a schema with an identifier of its own");
  auto fragment =
      decoded(std::string_view{ref}.substr(std::min(hash + 1, ref.size())));
  if (fragment.empty())
    return &root_;
  if (fragment[0] != '/') {
    auto* found = find_anchor(fragment);
    return found ? found : refuse_it("is no anchor of this document");
  }
  auto* at = &root_;
  auto rest = std::string_view{fragment};
  while (!rest.empty()) {
    rest.remove_prefix(1);
    auto token = std::string{rest.substr(0, rest.find('/'))};
    rest.remove_prefix(token.size());
    for (auto [code, c] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
      for (auto i = token.find(code); i != token.npos;
           i = token.find(code, i + 1))
        token.replace(i, 2, c);
    const json* next = nullptr;
    if (at->is_object())
      next = member(*at, token.c_str());
    else if (at->is_array() && !token.empty() && token.size() < 7
             && token.find_first_not_of("0123456789") == token.npos
             && std::stoul(token) < at->size())
      next = &(*at)[std::stoul(token)];
    if (!next)
      return refuse_it("leads nowhere in this document");
    child(*at, token, *next);
    at = next;
  }
  return at;
}

// The one schema that calls itself so.
const nlohmann::ordered_json*
schema_reader::find_anchor(const std::string& name) {
  const json* found = nullptr;
  auto todo = std::vector<const json*>{&root_};
  while (!todo.empty() && meter_.spend(2)) {
    auto* at = todo.back();
    todo.pop_back();
    if (!at->is_structured())
      continue;
    for (auto& [key, value] : at->items())
      if (value.is_string()
          && ((key == "$anchor" && value == name)
              || ((key == "$id" || key == "id") && value == "#" + name))) {
        if (found)
          return nullptr;
        found = at;
      }
    for (auto& value : *at)
      todo.push_back(&value);
  }
  return found;
}

} // namespace troupe::constrain
