#pragma once

#include <span>
#include <string_view>

namespace troupe::schema {

/// A schema of schemas, which a `$schema` or `$ref` may name.
struct metaschema {
  std::string_view url; ///< without a fragment
  std::string_view text;
};

/// Those of 2020-12, with one for each vocabulary, and of draft-07.
std::span<const metaschema> metaschemas();

} // namespace troupe::schema
