#pragma once

#include <string>
#include <string_view>

namespace troupe::api {

/// Appends `text` as a JSON string. Control characters are escaped; what is
/// not UTF-8 becomes U+FFFD, one for each maximal subpart.
void append_json_string(std::string& out, std::string_view text);

/// Appends a number in as few digits as tell it apart from all other floats;
/// infinities become -9999 and 9999, which clients of logarithms expect, and
/// what is no number null.
void append_json_number(std::string& out, float x);

} // namespace troupe::api
