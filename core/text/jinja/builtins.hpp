#pragma once

#include <chrono>
#include <optional>

#include "core/text/jinja/arguments.hpp"

namespace troupe::jinja {

// What the language brings along. All fail as `context` says, `unsupported`
// for names that are not implemented.

/// `object.name(args)`
value call_method(context& c, const value& object, const std::string& name,
                  const arguments& args);
/// `object | name(args)`
value apply_filter(context& c, const value& object, const std::string& name,
                   const arguments& args);
/// `object is name(args)`
bool apply_test(context& c, const value& object, const std::string& name,
                const arguments& args);

using point_in_time = std::optional<std::chrono::sys_seconds>;

/// Whether there is a function of this name; `strftime_now` only where the
/// time is known.
bool is_function(std::string_view name, const point_in_time& now);
/// `name(args)`
value call_function(context& c, std::string_view name, const arguments& args,
                    const point_in_time& now);

/// `object.name`; undefined if there is none.
value get_member(context& c, const value& object, const std::string& name);
/// `object[key]`
value get_item(context& c, const value& object, const value& key);
/// `object[begin:end:step]`, of which each may be null.
value get_slice(context& c, const value& object, const value* begin,
                const value* end, const value* step);

/// A binary operator: + - * / // % ~
value calculate(context& c, std::string_view op, const value& a,
                const value& b);
/// == != < > <= >= in, not in
bool compare(context& c, std::string_view op, const value& a, const value& b);

/// Whether so much may still be searched for so much.
bool may_search(context& c, const text& in, const text& what);

} // namespace troupe::jinja
