#pragma once

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "core/base/error.hpp"

namespace troupe {

/// What an actor awaits from others. CAF does not fail a request whose remote
/// receiver dies, so: monitor the receiver, note here what is awaited of it,
/// and fail that when its `down_msg` comes. An answer and a death may race;
/// whichever is first settles the ticket, the other finds it settled.
class peers {
public:
  using on_failure = std::function<void(const error&)>;

  /// Notes that something is awaited of `peer`, which the caller monitors.
  /// `failed` is called at most once, if the peer dies before `settle`.
  template <class Handle>
  uint64_t expect(const Handle& peer, on_failure failed) {
    awaited_[caf::actor_cast<caf::actor_addr>(peer)].emplace_back(
        ++last_ticket_, std::move(failed));
    return last_ticket_;
  }

  /// What was awaited has come, or will not. False if it was settled before.
  template <class Handle>
  bool settle(const Handle& peer, uint64_t ticket) {
    auto i = awaited_.find(caf::actor_cast<caf::actor_addr>(peer));
    if (i == awaited_.end())
      return false;
    auto n =
        std::erase_if(i->second, [&](auto& x) { return x.first == ticket; });
    if (i->second.empty())
      awaited_.erase(i);
    return n > 0;
  }

  /// A monitored peer is gone: fails all that was awaited of it.
  void down(const caf::actor_addr& peer) {
    auto i = awaited_.find(peer);
    if (i == awaited_.end())
      return;
    // Callbacks may expect again, so the entry goes first.
    auto list = std::move(i->second);
    awaited_.erase(i);
    for (auto& [ticket, failed] : list)
      failed({errc::abandoned, "the peer that owed an answer is gone"});
  }

  bool idle() const { return awaited_.empty(); }

private:
  std::map<caf::actor_addr, std::vector<std::pair<uint64_t, on_failure>>>
      awaited_;
  uint64_t last_ticket_ = 0;
};

} // namespace troupe
