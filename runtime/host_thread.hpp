#pragma once

#include <caf/logger.hpp>

#include <exception>
#include <new>

#include "core/base/result.hpp"

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

/// The result of `f`, or an error for what the libraries beneath it throw where
/// the system refuses them memory or the like: overloaded.
template <class F>
auto without_throwing(F f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return fail(errc::overloaded, "there is not enough memory");
  } catch (const std::exception& e) {
    return fail(errc::overloaded, e.what());
  }
}

} // namespace troupe
