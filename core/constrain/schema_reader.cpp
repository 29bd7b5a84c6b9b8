#include "core/constrain/schema_reader.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

constexpr auto most_shapes = size_t{256};
constexpr auto most_probes = 3;

// The identifier of a schema, of whatever draft, if it is more than a name in
// this document.
bool has_own_base(const nlohmann::ordered_json& node) {
  if (!node.is_object())
    return false;
  for (auto key : {"$id", "id"})
    if (auto at = node.find(key); at != node.end() && at->is_string()
                                  && !at->get<std::string>().starts_with('#'))
      return true;
  return false;
}

} // namespace

schema_reader::schema_reader(const json& root, format_policy formats,
                             work_meter& meter)
    : root_(root), formats_(formats), meter_(meter),
      algebra_(meter, {&never_, false},
               [this](const schema_terms& t) { return is_empty(t); }) {
  where_[&root_] = "#";
  where_[&never_] = "#";
}

// -- places
// ---------------------------------------------------------------------

const nlohmann::ordered_json* schema_reader::member(const json& node,
                                                    const char* key) const {
  auto at = node.find(key);
  return at == node.end() ? nullptr : &*at;
}

std::string schema_reader::pointer(const json& node) const {
  auto at = where_.find(&node);
  return at == where_.end() ? "#" : at->second;
}

schema_term schema_reader::child(const json& node, const std::string& path,
                                 const json& child) {
  if (!meter_.spend(4 + path.size() / 8, 96 + path.size()))
    return {&child, false};
  where_.try_emplace(&child, pointer(node) + "/" + path);
  if (has_own_base(child) || rebased_.contains(&node))
    rebased_.insert(&child);
  return {&child, false};
}

schema_term schema_reader::made(const json& near, json schema) {
  meter_.spend(8, 256);
  made_.push_back(std::move(schema));
  where_[&made_.back()] = pointer(near);
  return {&made_.back(), false};
}

void schema_reader::refuse(errc code, const json& node,
                           const std::string& why) {
  if (failed_)
    return;
  failed_ = meter_.spent()
                ? fail(errc::unsupported,
                       pointer(node)
                           + ": here the schema takes more work or memory to "
                             "compile than is allowed: make it smaller")
                : fail(code, pointer(node) + ": " + why);
}

void schema_reader::refuse(errc code, const schema_terms& where,
                           const std::string& why) {
  refuse(code, where.empty() ? root_ : *where.front().node, why);
}

// -- terms
// ----------------------------------------------------------------------

std::shared_ptr<const schema_shapes>
schema_reader::shapes(const schema_terms& terms) {
  // Never destroyed, nor `nothing` below: runtimes may be static.
  static const auto& all = *new std::shared_ptr<const schema_shapes>{
      std::make_shared<const schema_shapes>(shape_algebra::all())};
  if (terms.empty())
    return all;
  if (terms.size() == 1)
    return one(terms[0]);
  auto known = joined_.find(terms);
  if (known != joined_.end())
    return known->second;
  auto sum = *one(terms[0]);
  for (auto i = size_t{1}; i < terms.size() && !failed_; ++i) {
    sum = algebra_.intersect(sum, *one(terms[i]));
    if (sum.any.size() > most_shapes || meter_.spent())
      refuse(errc::unsupported, *terms[i].node,
             "together with other parts there are too many alternatives");
  }
  auto found = std::make_shared<const schema_shapes>(std::move(sum));
  if (!failed_)
    joined_[terms] = found;
  return found;
}

std::shared_ptr<const schema_shapes> schema_reader::one(schema_term term) {
  static const auto& nothing = *new std::shared_ptr<const schema_shapes>{
      std::make_shared<const schema_shapes>()};
  if (failed_)
    return nothing;
  auto [at, added] = known_.try_emplace(term, nullptr);
  if (at->second)
    return at->second;
  if (!added) {
    refuse(errc::unsupported, *term.node,
           "$ref: this schema refers to itself without a member or an item "
           "between");
    return nothing;
  }
  auto found =
      term.negated ? opposite(*term.node, "not", *term.node) : read(*term.node);
  if (meter_.spent())
    refuse(errc::unsupported, *term.node, "");
  if (found.any.size() > most_shapes)
    refuse(errc::unsupported, *term.node,
           "more than 256 alternatives: make the schema smaller");
  if (failed_) {
    known_.erase(term);
    return nothing;
  }
  return known_[term] = std::make_shared<const schema_shapes>(std::move(found));
}

// Only what is sure counts: what can't be read, or would have to be looked
// into too deeply, may hold something.
bool schema_reader::is_empty(const schema_terms& terms) {
  if (terms.empty() || probes_ >= most_probes || failed_)
    return false;
  ++probes_;
  auto found = shapes(terms);
  --probes_;
  if (failed_ && !meter_.spent()) {
    failed_.reset();
    return false;
  }
  return found->exact && found->any.empty();
}

// -- one schema
// -----------------------------------------------------------------

schema_shapes schema_reader::read(const json& node) {
  if (node.is_boolean())
    return node.get<bool>() ? shape_algebra::all() : schema_shapes{};
  if (!node.is_object()) {
    refuse(errc::invalid_argument, node,
           "a schema is an object, true or false, and this is none");
    return {};
  }
  meter_.spend(20 + node.size(), 64);
  check_unsupported(node);
  if (failed_)
    return {};
  return read_object(node);
}

schema_shapes schema_reader::read_object(const json& node) {
  auto f = facets{};
  read_numbers(node, f.number);
  read_strings(node, f.string);
  read_arrays(node, f.array);
  read_members(node, f.object);
  if (failed_)
    return {};
  auto all = typed(node, f);
  if (auto* list = member(node, "enum"); list && !failed_)
    all = algebra_.intersect(all, values(node, *list));
  if (auto* value = member(node, "const"); value && !failed_)
    all = algebra_.intersect(all, values(node, json::array({*value})));
  return failed_ ? all : all_of(node, std::move(all));
}

schema_shapes schema_reader::typed(const json& node, const facets& f) {
  auto all = schema_shapes{
      {null_shape{}, boolean_shape{}, f.number, f.string, f.array, f.object},
      true};
  auto* type = member(node, "type");
  if (!type)
    return all;
  auto names = type->is_array() ? *type : json::array({*type});
  auto some = schema_shapes{};
  for (auto& name : names) {
    auto is = [&](const char* s) { return name.is_string() && name == s; };
    if (is("null"))
      some.any.emplace_back(null_shape{});
    else if (is("boolean"))
      some.any.emplace_back(boolean_shape{});
    else if (is("string"))
      some.any.emplace_back(f.string);
    else if (is("array"))
      some.any.emplace_back(f.array);
    else if (is("object"))
      some.any.emplace_back(f.object);
    else if (is("number") || is("integer")) {
      auto n = f.number;
      n.integer = is("integer");
      some.any.emplace_back(std::move(n));
    } else {
      refuse(errc::invalid_argument, node,
             "type: the types are null, boolean, object, array, number, "
             "integer and string, and a list of those");
    }
  }
  // A type that is named twice would only cost.
  std::erase_if(some.any, [&](auto& s) { return algebra_.is_empty(s); });
  return some;
}

schema_shapes schema_reader::values(const json& node, const json& list) {
  if (!list.is_array()) {
    refuse(errc::invalid_argument, node, "enum must be a list");
    return {};
  }
  auto all = schema_shapes{};
  auto flags = boolean_shape{false, false};
  auto numbers = std::vector<decimal>{};
  auto texts = std::vector<std::string>{};
  for (auto& value : list) {
    meter_.spend(8, 64);
    if (value.is_null()) {
      all.any.emplace_back(null_shape{});
    } else if (value.is_boolean()) {
      (value.get<bool>() ? flags.yes : flags.no) = true;
    } else if (value.is_string()) {
      texts.push_back(value.get<std::string>());
    } else if (value.is_number()) {
      auto d = value.is_number_float() ? decimal::of(value.get<double>())
                                       : decimal::parse(value.dump());
      if (!d)
        refuse(errc::unsupported, node,
               "enum: a number of more than 40 digits");
      else
        numbers.push_back(*d);
    } else if (value.is_array()) {
      auto a = array_shape{};
      for (auto& item : value)
        a.first.push_back({made(node, {{"const", item}})});
      a.least = a.most = value.size();
      all.any.emplace_back(std::move(a));
    } else {
      auto part = object_part{};
      auto o = object_shape{};
      for (auto& [name, item] : value.items()) {
        part.named.push_back({name, {made(node, {{"const", item}})}});
        o.required.insert(name);
      }
      part.others = {{&never_, false}};
      part.says_others = true;
      o.parts.push_back(std::move(part));
      all.any.emplace_back(std::move(o));
    }
  }
  if (flags.yes || flags.no)
    all.any.emplace_back(flags);
  if (!numbers.empty()) {
    auto n = number_shape{};
    n.values = std::move(numbers);
    all.any.emplace_back(std::move(n));
  }
  if (!texts.empty())
    all.any.emplace_back(
        string_shape{0,
                     no_limit,
                     std::make_shared<const text_dfa>(
                         tidy(constrain::one_of(texts, meter_), meter_)),
                     {}});
  return all;
}

} // namespace troupe::constrain
