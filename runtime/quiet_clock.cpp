#include "runtime/quiet_clock.hpp"

#include <utility>
#include <vector>

namespace troupe {

using caf::detail::simple_actor_clock;

// What goes must not be destroyed with the lock held: with its last reference
// an actor ends, and asks this clock to forget it.
template <class F>
void quiet_clock::change(F what) {
  {
    auto guard = std::lock_guard{mutex_};
    if (stopped_)
      return;
    what();
    if (schedule_.empty() || schedule_.begin()->first >= looks_at_)
      return;
    looks_at_ = schedule_.begin()->first;
    ++wakes_;
  }
  changed_.notify_one();
}

void quiet_clock::set_ordinary_timeout(time_point t, caf::abstract_actor* self,
                                       caf::atom_value type, uint64_t id) {
  change([&] { simple_actor_clock::set_ordinary_timeout(t, self, type, id); });
}

void quiet_clock::set_multi_timeout(time_point t, caf::abstract_actor* self,
                                    caf::atom_value type, uint64_t id) {
  change([&] { simple_actor_clock::set_multi_timeout(t, self, type, id); });
}

void quiet_clock::set_request_timeout(time_point t, caf::abstract_actor* self,
                                      caf::message_id id) {
  change([&] { simple_actor_clock::set_request_timeout(t, self, id); });
}

// Whoever cancels is alive, so what is dropped here was not its last reference.
void quiet_clock::cancel_ordinary_timeout(caf::abstract_actor* self,
                                          caf::atom_value type) {
  change([&] { simple_actor_clock::cancel_ordinary_timeout(self, type); });
}

void quiet_clock::cancel_request_timeout(caf::abstract_actor* self,
                                         caf::message_id id) {
  change([&] { simple_actor_clock::cancel_request_timeout(self, id); });
}

void quiet_clock::cancel_timeouts(caf::abstract_actor* self) {
  change([&] { simple_actor_clock::cancel_timeouts(self); });
}

void quiet_clock::schedule_message(time_point t, caf::strong_actor_ptr receiver,
                                   caf::mailbox_element_ptr content) {
  change([&] {
    simple_actor_clock::schedule_message(t, std::move(receiver),
                                         std::move(content));
  });
}

void quiet_clock::schedule_message(time_point t, caf::group target,
                                   caf::strong_actor_ptr sender,
                                   caf::message content) {
  change([&] {
    simple_actor_clock::schedule_message(t, std::move(target),
                                         std::move(sender), std::move(content));
  });
}

void quiet_clock::cancel_all() {
  auto dropped = schedule_map{};
  auto guard = std::lock_guard{mutex_};
  actor_lookup_.clear();
  dropped.swap(schedule_);
}

std::optional<quiet_clock::time_point> quiet_clock::ship_due() {
  for (;;) {
    auto due = std::vector<unique_delayed_event_ptr>{};
    {
      auto guard = std::lock_guard{mutex_};
      auto until = now();
      while (!schedule_.empty() && schedule_.begin()->first <= until) {
        auto first = schedule_.begin();
        if (first->second->backlink != actor_lookup_.end())
          actor_lookup_.erase(first->second->backlink);
        due.push_back(std::move(first->second));
        schedule_.erase(first);
      }
      if (due.empty()) {
        if (schedule_.empty()) {
          looks_at_ = time_point::max();
          return {};
        }
        return looks_at_ = schedule_.begin()->first;
      }
      looks_at_ = time_point::min();
    }
    for (auto& e : due)
      ship(*e);
  }
}

void quiet_clock::run() {
  for (;;) {
    auto next = ship_due();
    auto guard = std::unique_lock{mutex_};
    auto woken = [&] {
      return stopped_ || looks_at_ < next.value_or(time_point::max());
    };
    if (next)
      changed_.wait_until(guard, *next, woken);
    else
      changed_.wait(guard, woken);
    if (stopped_)
      return;
    looks_at_ = time_point::min();
  }
}

void quiet_clock::stop() {
  {
    auto guard = std::lock_guard{mutex_};
    stopped_ = true;
  }
  changed_.notify_one();
  cancel_all();
}

size_t quiet_clock::wakes() const {
  auto guard = std::lock_guard{mutex_};
  return wakes_;
}

} // namespace troupe
