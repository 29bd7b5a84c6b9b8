#pragma once

#include <string_view>

#include "core/base/result.hpp"
#include "core/constrain/grammar.hpp"
#include "core/constrain/work_meter.hpp"

namespace troupe::constrain {

/// The texts of the rule `root` of a grammar in the dialect that
/// docs/constrained.md describes. "line N: reason": invalid_argument for what
/// is no such grammar, allows nothing, or has a rule that begins with itself;
/// unsupported if the meter is spent.
result<grammar> compile_ebnf(std::string_view text, work_meter& meter);

} // namespace troupe::constrain
