#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/constrain/number_text.hpp"
#include "core/constrain/text_dfa.hpp"

namespace troupe::constrain {

/// A part of a JSON Schema, or its opposite.
struct schema_term {
  const nlohmann::ordered_json* node = nullptr;
  bool negated = false;
  auto operator<=>(const schema_term&) const = default;
};
/// All of which must hold; none: anything may be.
using schema_terms = std::vector<schema_term>;

// -- what values of one type may be
// --------------------------------------------

constexpr auto no_limit = ~uint64_t{0};

struct null_shape {};

struct boolean_shape {
  bool yes = true;
  bool no = true;
};

struct string_shape {
  uint64_t least = 0; ///< code points
  uint64_t most = no_limit;
  std::shared_ptr<const text_dfa> language; ///< null: any
  /// Hold too, where texts are written. They leave out texts that the formats
  /// allow, so that nothing may be concluded from what they refuse.
  std::vector<std::shared_ptr<const text_dfa>> formats;
};

struct array_shape {
  std::vector<schema_terms> first; ///< of the items in front, one by one
  schema_terms rest;               ///< of all behind them
  uint64_t least = 0;
  uint64_t most = no_limit;
  bool unique = false;
};

/// What one schema says of members. `others` is for those that are neither
/// named nor match a pattern.
struct object_part {
  struct pattern {
    std::shared_ptr<const text_dfa> names;
    schema_terms value;
  };
  std::vector<std::pair<std::string, schema_terms>> named;
  std::vector<pattern> patterns;
  schema_terms others;
  bool says_others = false; ///< the schema itself speaks of others
};

struct object_shape {
  std::vector<object_part> parts; ///< all of which must hold
  std::set<std::string> required;
  uint64_t least = 0;
  uint64_t most = no_limit;
  std::vector<std::shared_ptr<const text_dfa>> names; ///< of all members
};

/// Values of one type. A schema allows a union of shapes.
using schema_shape = std::variant<null_shape, boolean_shape, number_shape,
                                  string_shape, array_shape, object_shape>;

/// A union. Not exact: some values that are allowed are left out.
struct schema_shapes {
  std::vector<schema_shape> any;
  bool exact = true;
};

/// What a member of that name must satisfy.
schema_terms member_terms(const object_shape& o, const std::string& name);

/// Terms of both, ascending, each once.
schema_terms join(const schema_terms& a, const schema_terms& b);

} // namespace troupe::constrain
