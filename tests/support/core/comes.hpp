#pragma once

#include <chrono>
#include <thread>

namespace troupe::testing {

/// Whether `holds` says yes within two minutes, asked again and again: of what
/// other threads do, which may have to wait for a core.
template <class Holds>
bool comes(Holds holds) {
  auto until = std::chrono::steady_clock::now() + std::chrono::minutes{2};
  do {
    if (holds())
      return true;
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

} // namespace troupe::testing
