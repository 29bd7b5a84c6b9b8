#pragma once

#include "core/base/result.hpp"
#include "core/text/jinja/ast.hpp"
#include "core/text/jinja/builtins.hpp"

namespace troupe::jinja {

using variables = std::vector<std::pair<std::string, value>>;

/// What a parsed template makes of the variables, each byte with its origin.
/// "chat template, line N: reason": invalid_argument with the template's
/// message where it calls raise_exception, bad_file for what Jinja refuses
/// too, unsupported for what is not implemented or beyond the bounds. Without
/// `now` there is no strftime_now.
result<text> render(const node& root, const variables& globals,
                    const point_in_time& now = {}, const bounds& b = {});

} // namespace troupe::jinja
