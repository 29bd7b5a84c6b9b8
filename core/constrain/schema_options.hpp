#pragma once

#include <cstdint>

namespace troupe::constrain {

/// What `format` of a JSON Schema means.
enum class format_policy : uint8_t {
  enforce, ///< refused where that can't be
  ignore,  ///< an annotation
};

struct schema_options {
  format_policy formats = format_policy::enforce;
  /// Whitespace that may stand behind `{`, `[`, `,` and `:`, and before `]`
  /// and `}`, in bytes; 0: none anywhere.
  uint32_t most_space = 0;
  /// Whether objects whose properties a schema names may have others where it
  /// does not speak of others.
  bool open_objects = false;
};

} // namespace troupe::constrain
