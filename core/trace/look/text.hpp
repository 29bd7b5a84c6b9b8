#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace troupe {

/// Takes text as it is made; false: nobody wants more.
using trace_sink = std::function<bool(std::string_view)>;

} // namespace troupe

namespace troupe::trace_words {

// How what a trace says becomes text. Names come from files, and may be
// anything: what goes to a terminal has no control characters.

/// Printable ASCII; all else is "?".
std::string printable(std::string_view s);

/// "250 ns", "12.3 µs" ("us" with `ascii`), "4.56 ms", "1.23 s"; "-" for what
/// is less than nothing keeps its sign.
std::string duration(int64_t ns, bool ascii = false);

/// Milliseconds with six digits behind the point, all of which are exact.
std::string exact_ms(int64_t ns);

/// "512 B", "1.5 KiB", "3.0 MiB".
std::string bytes(uint64_t n);

/// As a JSON string, with quotes; what is not UTF-8 is replaced.
std::string json(std::string_view s);

/// For XML and HTML, in texts and quoted attributes.
std::string xml(std::string_view s);

/// Filled with blanks to `width`, counted in characters.
std::string left(std::string_view s, size_t width);
std::string right(std::string_view s, size_t width);

/// Characters of a text in UTF-8.
size_t width(std::string_view s);

} // namespace troupe::trace_words
