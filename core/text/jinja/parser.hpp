#pragma once

#include <memory>
#include <string_view>

#include "core/base/result.hpp"
#include "core/text/jinja/ast.hpp"

namespace troupe::jinja {

/// A `block` of the whole template. "chat template, line N: reason": bad_file
/// for what Jinja refuses, unsupported for statements that are not implemented
/// and for what is nested too deeply. Filters, tests and functions are looked
/// up only when they are evaluated.
result<std::shared_ptr<const node>> parse(std::string_view source);

} // namespace troupe::jinja
