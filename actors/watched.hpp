#pragma once

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include <set>

namespace troupe {

/// The peers that an actor monitors, each once: CAF would add a monitor, and
/// send a `down_msg`, for every call.
class watched {
public:
  /// Monitors `peer` unless that is so already; null handles are ignored.
  template <class Self, class Handle>
  void add(Self* self, const Handle& peer) {
    auto address = caf::actor_cast<caf::actor_addr>(peer);
    if (address && peers_.insert(address).second)
      self->monitor(peer);
  }

  /// A peer is gone; whoever comes back under its address is new.
  void down(const caf::actor_addr& peer) { peers_.erase(peer); }

  size_t size() const { return peers_.size(); }

private:
  std::set<caf::actor_addr> peers_;
};

} // namespace troupe
