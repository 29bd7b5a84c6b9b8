#pragma once

#include <caf/actor_addr.hpp>
#include <caf/send.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "actors/thread_lender.hpp"
#include "runtime/clients.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

/// The way to the gateway while there is one: a generation may outlive its
/// runtime, a handle must not outlive its actor system.
struct front_door {
  std::mutex mutex;
  std::condition_variable changed;
  gateway_actor gateway;
  bool closed = false;

  void open(gateway_actor g) {
    auto guard = std::lock_guard{mutex};
    gateway = std::move(g);
    changed.notify_all();
  }

  /// Waits until there is one; null once there is none any more.
  gateway_actor wait() {
    auto guard = std::unique_lock{mutex};
    changed.wait(guard, [this] { return gateway || closed; });
    return gateway;
  }

  void cancel(request_id id) {
    auto guard = std::lock_guard{mutex};
    if (gateway)
      caf::anon_send(gateway, cancel_request{id});
  }

  void close() {
    auto guard = std::lock_guard{mutex};
    gateway = nullptr;
    closed = true;
    changed.notify_all();
  }
};

struct generation::impl {
  request_id id = 0;
  std::shared_ptr<event_queue> queue;
  std::shared_ptr<front_door> door;
  std::optional<lent_thread> lent; ///< the caller's
};

struct subscription::impl {
  /// Weak: a client ends with its request.
  caf::actor_addr client;
};

/// What the events of a request add up to.
void add(completion& to, generation::event e);

} // namespace troupe
