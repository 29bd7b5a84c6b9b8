#pragma once

#include "core/base/result.hpp"

namespace troupe {

/// Whether this process may have so many threads more: they are begun, all
/// together, and end. Where a library would be left half made by a thread that
/// cannot begin, this is asked first. Errors: overloaded.
result<void> room_for_threads(unsigned n);

} // namespace troupe
