#pragma once

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <optional>
#include <utility>

#include "actors/protocol/interfaces.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// Tells whoever wants to know it what a node has to do: now and then while it
/// computes, and once it has nothing left.
class load_reporter {
public:
  /// By address: the registry holds the node.
  void watch(const load_sink& sink) {
    to_ = caf::actor_cast<caf::actor_addr>(sink);
    last_.reset();
  }

  /// Something came: what was told is out of date, however short the work.
  void changed() { told_idle_ = false; }

  /// Sends what `load` returns, if it is time to. `soon`: it is called again
  /// soon, and what is in a hurry need not wait for it now; but not every time.
  template <class Self, class Load>
  void report(Self* self, time_point now, bool idle, bool soon, Load load) {
    if (!idle)
      changed();
    if (!to_ || (last_ && now - *last_ < interval && !(idle && !told_idle_)))
      return;
    if (soon && put_off_ < most_put_off) {
      ++put_off_;
      return;
    }
    put_off_ = 0;
    last_ = now;
    told_idle_ = idle;
    if (auto to = caf::actor_cast<load_sink>(to_))
      self->send(to, load());
  }

private:
  static constexpr auto interval = std::chrono::milliseconds{50};
  static constexpr auto most_put_off = 4;

  caf::actor_addr to_;
  std::optional<time_point> last_; ///< report
  bool told_idle_ = false;         ///< and nothing has come since
  int put_off_ = 0;                ///< in a row
};

} // namespace troupe
