#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "core/trace/format.hpp"

namespace troupe::tracing {

#if defined(__x86_64__)

/// Whether the processor counts at one pace, whatever it does.
inline bool has_steady_counter() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 0x100) != 0;
}

inline const bool steady_counter = has_steady_counter();

/// A steady count: reading the processor's takes less than half of the time
/// that the system's clock takes.
inline uint64_t ticks() {
  if (steady_counter)
    return __rdtsc();
  return static_cast<uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch().count());
}

#else

inline uint64_t ticks() {
  return static_cast<uint64_t>(
      std::chrono::steady_clock::now().time_since_epoch().count());
}

#endif

/// Now, by all clocks.
inline trace_moment moment() {
  auto ns = [](auto t) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               t.time_since_epoch())
        .count();
  };
  auto m = trace_moment{};
  m.ticks = ticks();
  m.steady_ns = ns(std::chrono::steady_clock::now());
  m.unix_ns = ns(std::chrono::system_clock::now());
  return m;
}

} // namespace troupe::tracing
