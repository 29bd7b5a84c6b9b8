#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "core/schema/json_tape.hpp"

namespace troupe {

/// How a schema is compiled, and what checking may cost. Schemas and documents
/// may both come from someone who means harm.
struct schema_options {
  /// `format` is checked, not only noted.
  bool assert_formats = false;
  /// Keywords that are not known are refused, those that begin with "x-" aside;
  /// so are formats, where they are checked. Else both are passed over.
  bool refuse_unknown = false;
  /// What a schema without `$schema` is: draft-07, or 2020-12.
  bool draft7 = false;
  /// Where the schema is from, for references that are relative; may be empty.
  std::string url;
  /// Other schemas that it may refer to, by URL. Nothing is ever fetched. The
  /// metaschemas of both drafts are there without it.
  std::map<std::string, std::string, std::less<>> documents;

  /// Of each schema document; `depth` counts up to 1024.
  tape_bounds schema_bounds{size_t{4} << 20, 256, size_t{1} << 20};
  size_t schemas = 100'000;       ///< within each other and referred to
  size_t pattern_steps = 200'000; ///< RE2 instructions of all patterns

  /// Of each document that is checked; `depth` counts up to 1024.
  tape_bounds bounds;
  /// Work that a check may take: so many steps, and so many for each value.
  uint64_t steps = 1'000'000;
  uint64_t steps_per_value = 64;
  /// How many errors a report has at most.
  size_t errors = 16;
};

} // namespace troupe
