#include "core/schema/keywords.hpp"

#include <algorithm>
#include <array>

namespace troupe::schema {

namespace {

constexpr auto seven = uint8_t{1};
constexpr auto newer = uint8_t{2};
constexpr auto both = uint8_t{3};

using kw = keyword;

// By name.
constexpr auto all = std::array{
    keyword_info{"$anchor", kw::anchor, core_words, holds::nothing, newer},
    keyword_info{"$comment", kw::comment, core_words, holds::nothing, both},
    keyword_info{"$defs", kw::defs, core_words, holds::map, newer},
    keyword_info{"$dynamicAnchor", kw::dynamic_anchor, core_words,
                 holds::nothing, newer},
    keyword_info{"$dynamicRef", kw::dynamic_ref, core_words, holds::nothing,
                 newer},
    keyword_info{"$id", kw::id, core_words, holds::nothing, both},
    keyword_info{"$ref", kw::ref, core_words, holds::nothing, both},
    keyword_info{"$schema", kw::schema, core_words, holds::nothing, both},
    keyword_info{"$vocabulary", kw::vocabularies, core_words, holds::nothing,
                 newer},
    keyword_info{"additionalItems", kw::additional_items, applicator_words,
                 holds::schema, seven},
    keyword_info{"additionalProperties", kw::additional_properties,
                 applicator_words, holds::schema, both},
    keyword_info{"allOf", kw::all_of, applicator_words, holds::list, both},
    keyword_info{"anyOf", kw::any_of, applicator_words, holds::list, both},
    keyword_info{"const", kw::const_, validation_words, holds::nothing, both},
    keyword_info{"contains", kw::contains, applicator_words, holds::schema,
                 both},
    keyword_info{"contentEncoding", kw::annotation, content_words,
                 holds::nothing, both},
    keyword_info{"contentMediaType", kw::annotation, content_words,
                 holds::nothing, both},
    keyword_info{"contentSchema", kw::content_schema, content_words,
                 holds::schema, newer},
    keyword_info{"default", kw::annotation, metadata_words, holds::nothing,
                 both},
    keyword_info{"definitions", kw::definitions, core_words, holds::map, both},
    keyword_info{"dependencies", kw::dependencies, applicator_words,
                 holds::map_of_some, both},
    keyword_info{"dependentRequired", kw::dependent_required, validation_words,
                 holds::nothing, newer},
    keyword_info{"dependentSchemas", kw::dependent_schemas, applicator_words,
                 holds::map, newer},
    keyword_info{"deprecated", kw::annotation, metadata_words, holds::nothing,
                 both},
    keyword_info{"description", kw::annotation, metadata_words, holds::nothing,
                 both},
    keyword_info{"else", kw::else_, applicator_words, holds::schema, both},
    keyword_info{"enum", kw::enum_, validation_words, holds::nothing, both},
    keyword_info{"examples", kw::annotation, metadata_words, holds::nothing,
                 both},
    keyword_info{"exclusiveMaximum", kw::exclusive_maximum, validation_words,
                 holds::nothing, both},
    keyword_info{"exclusiveMinimum", kw::exclusive_minimum, validation_words,
                 holds::nothing, both},
    keyword_info{"format", kw::format, format_words, holds::nothing, both},
    keyword_info{"if", kw::if_, applicator_words, holds::schema, both},
    keyword_info{"items", kw::items, applicator_words, holds::schema, newer},
    keyword_info{"items", kw::items, applicator_words, holds::schema_or_list,
                 seven},
    keyword_info{"maxContains", kw::max_contains, validation_words,
                 holds::nothing, newer},
    keyword_info{"maxItems", kw::max_items, validation_words, holds::nothing,
                 both},
    keyword_info{"maxLength", kw::max_length, validation_words, holds::nothing,
                 both},
    keyword_info{"maxProperties", kw::max_properties, validation_words,
                 holds::nothing, both},
    keyword_info{"maximum", kw::maximum, validation_words, holds::nothing,
                 both},
    keyword_info{"minContains", kw::min_contains, validation_words,
                 holds::nothing, newer},
    keyword_info{"minItems", kw::min_items, validation_words, holds::nothing,
                 both},
    keyword_info{"minLength", kw::min_length, validation_words, holds::nothing,
                 both},
    keyword_info{"minProperties", kw::min_properties, validation_words,
                 holds::nothing, both},
    keyword_info{"minimum", kw::minimum, validation_words, holds::nothing,
                 both},
    keyword_info{"multipleOf", kw::multiple_of, validation_words,
                 holds::nothing, both},
    keyword_info{"not", kw::not_, applicator_words, holds::schema, both},
    keyword_info{"oneOf", kw::one_of, applicator_words, holds::list, both},
    keyword_info{"pattern", kw::pattern, validation_words, holds::nothing,
                 both},
    keyword_info{"patternProperties", kw::pattern_properties, applicator_words,
                 holds::map, both},
    keyword_info{"prefixItems", kw::prefix_items, applicator_words, holds::list,
                 newer},
    keyword_info{"properties", kw::properties, applicator_words, holds::map,
                 both},
    keyword_info{"propertyNames", kw::property_names, applicator_words,
                 holds::schema, both},
    keyword_info{"readOnly", kw::annotation, metadata_words, holds::nothing,
                 both},
    keyword_info{"required", kw::required, validation_words, holds::nothing,
                 both},
    keyword_info{"then", kw::then, applicator_words, holds::schema, both},
    keyword_info{"title", kw::annotation, metadata_words, holds::nothing, both},
    keyword_info{"type", kw::type, validation_words, holds::nothing, both},
    keyword_info{"unevaluatedItems", kw::unevaluated_items, unevaluated_words,
                 holds::schema, newer},
    keyword_info{"unevaluatedProperties", kw::unevaluated_properties,
                 unevaluated_words, holds::schema, newer},
    keyword_info{"uniqueItems", kw::unique_items, validation_words,
                 holds::nothing, both},
    keyword_info{"writeOnly", kw::annotation, metadata_words, holds::nothing,
                 both},
};

static_assert(std::is_sorted(all.begin(), all.end(),
                             [](auto& a, auto& b) { return a.name < b.name; }));

} // namespace

const keyword_info* find_keyword(std::string_view name, const dialect& d) {
  auto at = std::lower_bound(
      all.begin(), all.end(), name,
      [](const keyword_info& k, std::string_view n) { return k.name < n; });
  auto bit = 1u << static_cast<unsigned>(d.version);
  auto words = d.words;
  if (words & format_assertions)
    words |= format_words;
  for (; at != all.end() && at->name == name; ++at)
    if (at->drafts & bit)
      // The core vocabulary is always there.
      return (words | core_words) & at->words ? &*at : nullptr;
  return nullptr;
}

std::string_view spelled(keyword word) {
  static constexpr auto names = [] {
    auto out = std::array<std::string_view, static_cast<size_t>(kw::count)>{};
    for (auto& k : all)
      out[static_cast<size_t>(k.word)] = k.name;
    return out;
  }();
  return names[static_cast<size_t>(word)];
}

uint8_t vocabulary_named(std::string_view url) {
  constexpr auto prefix =
      std::string_view{"https://json-schema.org/draft/2020-12/vocab/"};
  constexpr auto names = std::array<std::string_view, 8>{
      "core",      "applicator",        "unevaluated",      "validation",
      "meta-data", "format-annotation", "format-assertion", "content"};
  if (!url.starts_with(prefix))
    return 0;
  auto at = std::find(names.begin(), names.end(), url.substr(prefix.size()));
  return at == names.end() ? uint8_t{0}
                           : static_cast<uint8_t>(1u << (at - names.begin()));
}

} // namespace troupe::schema
