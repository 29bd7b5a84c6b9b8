#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/constrain/grammar_builder.hpp"
#include "core/constrain/schema_options.hpp"
#include "core/constrain/schema_reader.hpp"

namespace troupe::constrain {

/// Writes the grammar of all JSON texts that a schema allows, members in the
/// order of the schema. Where a value could be written in several ways, it is
/// written in one.
class schema_grammar {
public:
  using json = nlohmann::ordered_json;
  using node = grammar_builder::node;
  using rule_id = grammar_builder::rule_id;

  schema_grammar(const json& schema, const schema_options& options,
                 work_meter& meter)
      : options_(options), meter_(meter),
        reader_(schema, options.formats, meter), builder_(meter) {}

  /// unsupported, invalid_argument: with the JSON Pointer of the part that
  /// can't be enforced, and the keyword.
  result<grammar> run();
  /// Any object, whatever the schema.
  result<grammar> run_any_object();

private:
  struct member_group {
    text_dfa names;
    schema_terms value;
  };
  struct job {
    rule_id rule;
    schema_terms terms;
  };
  struct known_member {
    std::string name;
    bool required;
    rule_id value;
  };

  rule_id rule_for(const schema_terms& terms);
  result<grammar> finish(rule_id root);
  void write_value(const job& j);
  void write_shape(node from, node to, const schema_shape& s);
  node gap(node from);
  bool never(const schema_terms& terms);
  void refuse(const std::string& why);

  // -- scalars (schema_scalars.cpp)
  // ---------------------------------------------

  void write_number(node from, node to, const number_shape& s);
  void write_string(node from, node to, const string_shape& s);
  text_dfa language_of(const string_shape& s);
  rule_id run_rule(const text_run& run);
  void write_array(node from, node to, const array_shape& a);
  void write_items(rule_id rule, const array_shape& a);
  node write_item(node from, const schema_terms& terms, bool unique);
  rule_id unique_item(const schema_terms& terms);

  // -- objects (schema_objects.cpp)
  // ---------------------------------------------

  void write_object(node from, node to, const object_shape& o);
  std::vector<known_member> known_members(const object_shape& o,
                                          std::vector<member_group>& groups);
  std::vector<member_group> other_members(const object_shape& o,
                                          std::vector<std::string> known);
  void write_members(rule_id rule, const object_shape& o,
                     const std::vector<known_member>& known,
                     const std::vector<member_group>& others);

  const schema_options& options_;
  work_meter& meter_;
  schema_reader reader_;
  grammar_builder builder_;
  std::map<schema_terms, rule_id> rules_;
  std::map<std::string, rule_id> shared_; // of numbers, runs and whitespace
  std::vector<job> todo_;
  const schema_terms* at_ = nullptr; // what is being written
};

} // namespace troupe::constrain
