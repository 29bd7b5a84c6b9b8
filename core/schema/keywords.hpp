#pragma once

#include <cstdint>
#include <string_view>

namespace troupe::schema {

enum class draft : uint8_t { draft7, draft2020 };

/// A set of vocabularies; draft-07 has all in one.
enum vocabulary : uint8_t {
  core_words = 1,
  applicator_words = 2,
  unevaluated_words = 4,
  validation_words = 8,
  metadata_words = 16,
  format_words = 32,
  format_assertions = 64,
  content_words = 128,
  all_words = 0xff & ~format_assertions,
};

/// What the keywords of a schema mean.
struct dialect {
  draft version = draft::draft2020;
  uint8_t words = all_words;
};

enum class keyword : uint8_t {
  id,
  schema,
  ref,
  anchor,
  dynamic_ref,
  dynamic_anchor,
  vocabularies,
  comment,
  defs,
  definitions,
  prefix_items,
  items,
  additional_items,
  contains,
  properties,
  pattern_properties,
  additional_properties,
  property_names,
  dependent_schemas,
  dependencies,
  if_,
  then,
  else_,
  all_of,
  any_of,
  one_of,
  not_,
  unevaluated_items,
  unevaluated_properties,
  type,
  const_,
  enum_,
  multiple_of,
  maximum,
  exclusive_maximum,
  minimum,
  exclusive_minimum,
  max_length,
  min_length,
  pattern,
  max_items,
  min_items,
  unique_items,
  max_contains,
  min_contains,
  max_properties,
  min_properties,
  required,
  dependent_required,
  format,
  content_schema,
  annotation,
  count, ///< of them
};

/// Where a keyword's value has schemas.
enum class holds : uint8_t {
  nothing,
  schema,         ///< it is one
  list,           ///< its items are
  schema_or_list, ///< one of these
  map,            ///< the members' values are
  map_of_some,    ///< those of them that are no arrays
};

struct keyword_info {
  std::string_view name;
  keyword word;
  vocabulary words;
  holds what;
  uint8_t drafts; ///< bit 1 << draft
};

/// What a name means in this dialect, or null.
const keyword_info* find_keyword(std::string_view name, const dialect& d);

/// How a keyword that is no annotation is spelled.
std::string_view spelled(keyword word);

/// The set that has the vocabulary with this URL alone, or 0.
uint8_t vocabulary_named(std::string_view url);

} // namespace troupe::schema
