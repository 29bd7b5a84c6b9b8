#pragma once

#include <chrono>

namespace troupe {

// Time is an argument everywhere in core: these are the types it comes in.
// Nothing below `runtime` reads a clock.
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;

inline double to_ms(duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

} // namespace troupe
