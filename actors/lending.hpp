#pragma once

#include <caf/fwd.hpp>

namespace troupe {

class lent_thread;

namespace lending {

/// As which this thread is lent now; null: it is not, or runs no actors yet.
inline constinit thread_local lent_thread* current = nullptr;

/// An actor that has a thread of its own has messages. `thread` handles them in
/// its place, and calls `give_back` if it cannot handle all of them.
void take(lent_thread& thread, caf::resumable* actor,
          void (*give_back)(caf::resumable*));

} // namespace lending

/// Whether actors with that state may run on a thread that is lent, though they
/// have one of their own.
template <class State>
constexpr bool runs_on_lent_threads = requires {
  requires State::runs_on_lent_threads;
};

/// Whether they never do, since they call code that is not ours.
template <class State>
constexpr bool calls_host = requires {
  requires State::calls_host;
};

} // namespace troupe
