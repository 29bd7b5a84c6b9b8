#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe {

/// Bytes of the code point at `at`, as table 3-7 of the Unicode Standard has
/// them; 0 if there is none. REQUIRES: at != end.
size_t scan_code_point(const char* at, const char* end);

bool is_utf8(std::string_view text);

/// The code point at `at`, which moves behind it.
/// REQUIRES: the text is UTF-8, and `at` is before its end.
char32_t take_code_point(const char*& at);

/// Writes UTF-8, and returns where it ends. REQUIRES: a scalar value.
char* write_code_point(char32_t code, char* to);

/// Code points of a text that is UTF-8.
size_t count_code_points(std::string_view text);

} // namespace troupe
