#pragma once

#include <optional>
#include <string>

namespace troupe {

// What `message_trace` records, for whoever looks at it meanwhile. Of any
// thread.

/// Where the messages of this process are recorded; nothing if they are not.
std::optional<std::string> trace_file();

/// The same, once what was recorded so far is written, or the disk does not
/// answer.
std::optional<std::string> written_trace();

} // namespace troupe
