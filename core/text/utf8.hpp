#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

enum class utf8_state : uint8_t {
  whole,  ///< a code point
  broken, ///< bytes that cannot begin one
  cut,    ///< the beginning of one, and then the text ends
};

/// What stands at one place of bytes that should be UTF-8.
struct utf8_step {
  utf8_state state = utf8_state::broken;
  /// Bytes; if not whole, of the maximal subpart of an ill-formed sequence
  /// (The Unicode Standard, section 3.9): what one U+FFFD stands for.
  uint8_t size = 1;
  /// The code point, if whole.
  char32_t code = 0;
};

/// Reads the code point at `at`; surrogates and overlong forms are broken.
/// REQUIRES: at < text.size().
utf8_step step_utf8(std::string_view text, size_t at);

/// Appends one code point. REQUIRES: it is a Unicode scalar value.
void append_utf8(char32_t code, std::string& out);

/// `text` cut to `most` bytes for one line of a message, in double quotes:
/// what is not printable ASCII is escaped.
std::string quoted(std::string_view text, size_t most = 60);

} // namespace troupe
