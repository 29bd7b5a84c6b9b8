#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>

#include <chrono>
#include <thread>

namespace troupe {

/// Waits until nobody but the caller holds an actor that is ending, 5 s at
/// most. Before its network goes: CAF's broker gets a message when an actor
/// ends that others know of. What it has not handled when it is stopped stays
/// in its mailbox, with its sender; and the actor system waits for ever for the
/// thread of a detached one.
template <class Handle>
void let_go(const Handle& actor) {
  auto held = caf::actor_cast<caf::strong_actor_ptr>(actor);
  if (!held)
    return;
  // `actor`, `held`.
  for (auto i = 0; i < 5000 && held->strong_refs > 2; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

} // namespace troupe
