#pragma once

#include <caf/logger.hpp>

namespace troupe {

/// A thread of the host's while it runs a function of ours. CAF leaves an actor
/// system's logger with each thread that spawns in it, and a system does not
/// end before it has all of them back: a thread that is not to end with it must
/// not keep one.
class host_thread {
public:
  host_thread() : had_(caf::logger::current_logger()) {}
  host_thread(const host_thread&) = delete;
  host_thread& operator=(const host_thread&) = delete;
  ~host_thread() {
    if (caf::logger::current_logger() != had_)
      caf::logger::set_current_actor_system(nullptr);
  }

private:
  caf::logger* had_;
};

} // namespace troupe
