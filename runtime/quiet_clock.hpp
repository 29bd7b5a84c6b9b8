#pragma once

#include <caf/detail/thread_safe_actor_clock.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>

namespace troupe {

/// A clock of actors whose thread sleeps until something is due. That of CAF is
/// woken by whatever is asked of it, by each actor's end, too: some ten times a
/// request, for which whoever asks pays, and gets nothing. Safe to use from any
/// thread.
class quiet_clock : public caf::detail::thread_safe_actor_clock {
public:
  void set_ordinary_timeout(time_point t, caf::abstract_actor* self,
                            caf::atom_value type, uint64_t id) override;
  void set_multi_timeout(time_point t, caf::abstract_actor* self,
                         caf::atom_value type, uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self,
                           caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self,
                               caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self,
                              caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, caf::group target,
                        caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

  /// Ships what is due, until `stop`. For one thread.
  void run();

  /// Drops what is left, and whatever is still asked for. Idempotent.
  void stop();

  /// Ships what is due by now. Returns when the next will be, if one waits;
  /// whoever asks for something before that wakes the thread that runs this.
  std::optional<time_point> ship_due();

  /// How often that thread was to be woken.
  size_t wakes() const;

private:
  template <class F>
  void change(F what);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  /// The thread looks again by then; while it is awake, at once.
  time_point looks_at_ = time_point::min();
  size_t wakes_ = 0;
  bool stopped_ = false;
};

} // namespace troupe
