#pragma once

#include <caf/actor_clock.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/mailbox_element.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

namespace troupe::tracing {

/// Where a replay stands between actors and the world: nothing that they send
/// goes anywhere, and what they ask for is what was recorded. There is one at a
/// time, and all its actors run in its thread.
class seam {
public:
  virtual ~seam() = default;

  /// Whether what is put into a mailbox comes from the replay itself.
  virtual bool feeding() const = 0;

  /// An actor sends, at once or after `delay`.
  virtual void captured(const caf::strong_actor_ptr& to,
                        caf::mailbox_element_ptr what,
                        std::chrono::nanoseconds delay) = 0;

  /// What the actor's clock says.
  virtual caf::actor_clock::time_point now() = 0;

  /// The actor that was spawned.
  virtual caf::strong_actor_ptr spawned() = 0;

  /// What another object said.
  virtual std::span<const std::byte> value() = 0;
};

/// That of the replay of this process; null: there is none.
seam* current_seam();

/// Holds a replay's seam for as long as it lives.
class seam_guard {
public:
  /// REQUIRES: nothing is recorded or replayed.
  explicit seam_guard(seam& s);
  seam_guard(const seam_guard&) = delete;
  seam_guard& operator=(const seam_guard&) = delete;
  ~seam_guard();
};

} // namespace troupe::tracing
