#pragma once

#include <string>
#include <string_view>

namespace troupe::schema {

/// A Unicode property of ECMA-262, as what stands between the braces of \p{},
/// in RE2's names: "Letter" is "L", "Script=Greek" is "Greek". Empty for one
/// that is none there. Whether RE2 knows it is RE2's to say.
std::string property_name(std::string_view ecma);

} // namespace troupe::schema
