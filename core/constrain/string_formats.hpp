#pragma once

#include <optional>
#include <string_view>

namespace troupe::constrain {

enum class format_kind : uint8_t {
  unknown, ///< an annotation only
  regular, ///< enforced by an expression
  beyond,  ///< known, but no expression has it
};

struct string_format {
  format_kind what = format_kind::unknown;
  std::string_view pattern; ///< for all of the text
};

/// What `format` of a JSON Schema asks for. An expression may leave out rare
/// texts that the format allows; it allows none that the format does not.
string_format find_format(std::string_view name);

} // namespace troupe::constrain
