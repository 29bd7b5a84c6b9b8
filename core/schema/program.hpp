#pragma once

#include <array>
#include <deque>
#include <string>
#include <vector>

#include "core/schema/decimal.hpp"
#include "core/schema/documents.hpp"
#include "core/schema/formats.hpp"
#include "core/schema/keywords.hpp"
#include "core/schema/pattern.hpp"

namespace troupe::schema {

/// No schema where one may be.
constexpr auto no_schema = ~uint32_t{0};

/// A step of a schema. `word` says which; `a` and `b` depend on it.
struct step {
  keyword word;
  uint32_t a = 0;
  uint64_t b = 0;
};

/// Steps are run in this order; those of the other kinds are passed over.
enum section : uint8_t {
  of_numbers,
  of_strings,
  of_arrays,
  of_objects,
  of_all,
  at_last,
  sections
};

/// A set of `json_kind`s, bit 1 << kind. Of decimals those that are integers
/// may be meant alone: then json_kind::decimal is not in it.
using kind_set = uint8_t;
constexpr auto all_kinds = kind_set{0xff};

struct compiled_schema {
  place from;
  uint32_t resource = 0;
  kind_set kinds = all_kinds;
  bool never = false; ///< it is `false`
  /// Where each section's steps begin, and where the last one's end.
  std::array<uint32_t, sections + 1> steps{};
};

/// `minimum` and the like.
struct number_bound {
  decimal exact;
  std::optional<int64_t> small;
};

/// A part of `program::lists`.
struct list_of {
  uint32_t begin = 0;
  uint32_t count = 0;
};

struct items_rule {
  list_of prefix; ///< schemas
  uint32_t rest = no_schema;
};

struct contains_rule {
  uint32_t schema = no_schema;
  uint64_t least = 1;
  uint64_t most = ~uint64_t{0};
};

/// A member that a schema names.
struct named_member {
  uint64_t mark = 0; ///< `mark_of(key)`: names are in its order
  std::string_view key;
  uint32_t schema = no_schema;
  bool required = false;
};

struct members_rule {
  list_of names;    ///< of `program::names`
  list_of patterns; ///< pairs of a pattern and a schema
  uint32_t required = 0;
  uint32_t rest = no_schema;    ///< `additionalProperties`
  uint32_t of_keys = no_schema; ///< `propertyNames`
  bool marks = false;           ///< there are `properties`, patterns or a rest
};

/// Members that one member asks for.
struct dependent_rule {
  std::string_view key;
  std::vector<std::string_view> names;
};

/// `enum`. Few values are looked at one by one, many by their hashes.
struct choice_rule {
  uint32_t document = 0;
  uint32_t array = 0;
  std::vector<std::pair<uint64_t, uint32_t>> by_hash; ///< empty if they are few
};

/// Where a `$dynamicRef` may lead: the anchors with its name.
struct dynamic_rule {
  std::string_view name;
  std::vector<std::pair<uint32_t, uint32_t>> targets; ///< resource, schema
};

/// A schema, compiled: flat arrays that refer to each other by index.
struct program {
  std::deque<document> documents;       ///< that texts and values are in
  std::vector<std::string> urls;        ///< of documents
  std::vector<compiled_schema> schemas; ///< the first is the root
  /// JSON Pointers to the first of them, as many as do not take much memory.
  std::vector<std::string> pointers;
  std::vector<step> steps;
  std::vector<uint32_t> lists;
  std::vector<number_bound> bounds;
  std::vector<decimal_divisor> divisors;
  std::vector<pattern> patterns;
  std::vector<items_rule> items;
  std::vector<contains_rule> contains;
  std::vector<named_member> names;
  std::vector<members_rule> members;
  std::vector<dependent_rule> dependents;
  std::vector<choice_rule> choices;
  std::vector<dynamic_rule> dynamics;
};

/// Tells most keys apart: the first seven bytes and the size.
uint64_t mark_of(std::string_view key);

} // namespace troupe::schema
