#pragma once

#include <memory>
#include <string_view>

#include "core/base/result.hpp"
#include "core/constrain/text_dfa.hpp"

namespace troupe::constrain {

/// A regular expression, parsed. All of ECMA-262's with the flag `u` that
/// regular languages hold, except properties (`\p`); and of its annex B what
/// is common without that flag: braces and brackets that stand for themselves
/// and needless escapes.
struct regex_node {
  enum class kind : uint8_t { nothing, set, begin, end, row, either, repeat };
  kind what = kind::nothing;
  code_set set;
  uint32_t least = 0;
  uint32_t most = 0; ///< of repeat; `endless`
  std::vector<regex_node> parts;

  static constexpr auto endless = ~uint32_t{0};
};

/// invalid_argument for what is no expression, unsupported for what is one but
/// not of that subset; both say at which byte.
result<regex_node> parse_regex(std::string_view pattern);

/// What of a text must match.
enum class regex_extent : uint8_t {
  whole, ///< all of it
  part,  ///< any part, as `pattern` in a JSON Schema
};

/// The texts that match, tidied. Fails as `parse_regex`; when the meter is
/// spent, unsupported.
result<text_dfa> compile_regex(std::string_view pattern, regex_extent extent,
                               work_meter& meter);

} // namespace troupe::constrain
