#pragma once

#include <optional>

#include "core/text/jinja/arguments.hpp"

namespace troupe::jinja {

/// A filter whose input is iterated over; nothing if `name` is none of them.
std::optional<value> apply_list_filter(context& c, const value& v,
                                       const std::string& name,
                                       const arguments& args);

} // namespace troupe::jinja
