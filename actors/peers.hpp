#pragma once

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace troupe {

/// The remote actors that an actor depends on. CAF does not fail a request
/// whose receiver dies, so: monitor the receiver, note what is outstanding
/// with it, and fail that when its `down_msg` comes.
class peers {
public:
  using on_failure = std::function<void(const error&)>;

  /// Notes that something is expected of `peer`, and monitors it if this is
  /// the first; `failed` is called at most once, should the peer die first.
  /// Returns a ticket for `settle`.
  template <class Self, class Handle>
  uint64_t expect(Self* self, const Handle& peer, on_failure failed) {
    auto addr = caf::actor_cast<caf::actor_addr>(peer);
    auto& list = outstanding_[addr];
    if (list.empty())
      self->monitor(addr);
    list.emplace_back(++last_ticket_, std::move(failed));
    return last_ticket_;
  }

  /// What was expected has come.
  template <class Self, class Handle>
  void settle(Self* self, const Handle& peer, uint64_t ticket) {
    auto addr = caf::actor_cast<caf::actor_addr>(peer);
    auto i = outstanding_.find(addr);
    if (i == outstanding_.end())
      return;
    std::erase_if(i->second, [&](auto& x) { return x.first == ticket; });
    if (i->second.empty()) {
      outstanding_.erase(i);
      self->demonitor(addr);
    }
  }

  /// A monitored peer is gone: fails all that was expected of it.
  void down(const caf::actor_addr& peer) {
    auto i = outstanding_.find(peer);
    if (i == outstanding_.end())
      return;
    // Callbacks may expect again, from another peer.
    auto list = std::move(i->second);
    outstanding_.erase(i);
    for (auto& [ticket, failed] : list)
      failed({errc::abandoned, "the peer that owed an answer is gone"});
  }

private:
  std::map<caf::actor_addr, std::vector<std::pair<uint64_t, on_failure>>>
    outstanding_;
  uint64_t last_ticket_ = 0;
};

} // namespace troupe
