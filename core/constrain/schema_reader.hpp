#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/base/result.hpp"
#include "core/constrain/schema_options.hpp"
#include "core/constrain/shape_algebra.hpp"

namespace troupe::constrain {

/// Reads a JSON Schema (draft 4 to 2020-12) as unions of shapes. Every
/// keyword is enforced, ignored because it only annotates, or refused: once
/// something is, all that is returned means nothing.
class schema_reader {
public:
  using json = nlohmann::ordered_json;

  /// The schema must live as long.
  schema_reader(const json& root, format_policy formats, work_meter& meter);

  schema_terms root() const { return {{&root_, false}}; }
  /// Values for which all terms hold.
  std::shared_ptr<const schema_shapes> shapes(const schema_terms& terms);

  /// The refusal: "#/properties/a: oneOf: its branches overlap".
  const std::optional<error>& failed() const { return failed_; }
  void refuse(errc code, const schema_terms& where, const std::string& why);
  const shape_algebra& algebra() const { return algebra_; }

private:
  /// One schema that is being read.
  struct facets {
    number_shape number;
    string_shape string;
    array_shape array;
    object_shape object;
  };

  std::shared_ptr<const schema_shapes> one(schema_term term);
  schema_shapes read(const json& node);
  schema_shapes read_object(const json& node);
  bool is_empty(const schema_terms& terms);

  // -- keywords (schema_keywords.cpp)
  // -------------------------------------------

  void read_numbers(const json& node, number_shape& to);
  void read_strings(const json& node, string_shape& to);
  void read_arrays(const json& node, array_shape& to);
  void read_members(const json& node, object_shape& to);
  void read_names(const json& node, object_shape& to);
  schema_shapes typed(const json& node, const facets& f);
  schema_shapes values(const json& node, const json& list);
  void check_unsupported(const json& node);
  std::optional<number_bound> bound(const json& node, const char* key,
                                    const char* open_key);
  uint64_t count(const json& node, const char* key, uint64_t otherwise);
  std::shared_ptr<const text_dfa>
  pattern(const json& node, const std::string& expression, const char* keyword);

  // -- how schemas are put together (schema_unions.cpp)
  // -------------------------

  schema_shapes all_of(const json& node, schema_shapes so_far);
  schema_shapes any_of(const json& node, const json& list);
  schema_shapes one_of(const json& node, const json& list);
  schema_shapes opposite(const json& node, const char* keyword, const json& of);
  schema_shapes conditional(const json& node);
  schema_shapes dependency(const json& node, const std::string& name,
                           const json& needs);
  const json* target(const json& node, const std::string& ref);
  const json* find_anchor(const std::string& name);

  // -- places
  // -------------------------------------------------------------------

  const json* member(const json& node, const char* key) const;
  schema_term child(const json& node, const std::string& path,
                    const json& child);
  schema_term made(const json& near, json schema);
  void refuse(errc code, const json& node, const std::string& why);
  std::string pointer(const json& node) const;

  const json& root_;
  format_policy formats_;
  work_meter& meter_;
  std::unordered_map<const json*, std::string> where_;
  /// Where "#" does not mean the root, since an identifier stands above.
  std::set<const json*> rebased_;
  std::deque<json> made_;
  json never_ = false;
  shape_algebra algebra_;
  std::map<schema_term, std::shared_ptr<const schema_shapes>> known_;
  std::map<schema_terms, std::shared_ptr<const schema_shapes>> joined_;
  std::map<std::string, std::shared_ptr<const text_dfa>> patterns_;
  std::optional<error> failed_;
  int probes_ = 0; // how deep we look whether something is empty
};

} // namespace troupe::constrain
