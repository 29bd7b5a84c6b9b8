#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::jinja {

/// The inside of a string literal with Python's escapes read; of what is no
/// escape the backslash stays. Nothing if one is cut short or no character.
std::optional<std::string> read_string(std::string_view inside);

} // namespace troupe::jinja
