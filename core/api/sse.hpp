#pragma once

#include <string>
#include <string_view>

namespace troupe::api {

// Server-sent events (WHATWG HTML, section 9.2), of a `data` field alone.
// What is sent is JSON, which has no line ends.

/// Appends one event. REQUIRES: `data` holds neither CR nor LF.
inline void append_event(std::string& out, std::string_view data) {
  out += "data: ";
  out += data;
  out += "\n\n";
}

/// The event after which OpenAI's clients read no more.
inline void append_done(std::string& out) {
  append_event(out, "[DONE]");
}

} // namespace troupe::api
