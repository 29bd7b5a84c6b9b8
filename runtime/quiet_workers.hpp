#pragma once

#include <caf/detail/double_ended_queue.hpp>
#include <caf/policy/unprofiled.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace troupe {

/// How the workers of an actor system share their work: as those of CAF, each
/// has a queue, and takes from others' when it is empty. Those of CAF get up
/// once in a while to look at these; here one does at most, and only while
/// another is at work, so that an idle process sleeps. A policy of
/// caf::scheduler::coordinator.
class quiet_workers : public caf::policy::unprofiled {
public:
  using queue_type = caf::detail::double_ended_queue<caf::resumable>;

  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator*) {}

    std::atomic<size_t> next{0}; ///< worker that the next job is for
    std::atomic<size_t> busy{0}; ///< workers that have a job, or look for one
    /// One looks each `patience` what the busy ones do not get to.
    std::atomic<bool> watched{false};
    std::atomic<size_t> wakes{0}; ///< of workers that had nothing to do
  };

  struct worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
    worker_data(const worker_data&) {}

    queue_type queue;
    bool counted = false; ///< among the busy ones; of its own thread
    std::mutex mutex;
    std::condition_variable changed;
    bool sleeps = false; ///< with `mutex`, as `woken`
    bool woken = false;
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    auto n = self->num_workers();
    for (size_t i = 0; i < n; ++i)
      if (auto& w = d(self->worker_by_id(i)); wake(w, job)) {
        ++d(self).wakes;
        return;
      }
    external_enqueue(self->worker_by_id(d(self).next++ % n), job);
  }

  template <class Worker>
  void external_enqueue(Worker* self, caf::resumable* job) {
    d(self).queue.append(job);
    if (wake(d(self)))
      ++d(self->parent()).wakes;
  }

  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    d(self).queue.prepend(job);
  }

  /// It has had its turn.
  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    d(self).queue.append(job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    auto& all = d(self->parent());
    if (!d(self).counted) { // it has just begun
      d(self).counted = true;
      ++all.busy;
    }
    // What comes next is often on its way.
    for (auto i = 0; i < looks; ++i)
      if (auto* job = i % 10 == 0 ? find(self) : d(self).queue.take_head())
        return job;
    --all.busy;
    auto* job = await(self);
    ++all.busy;
    if (!all.watched)
      wake_another(self);
    return job;
  }

  template <class Worker>
  void before_shutdown(Worker* self) {
    --d(self->parent()).busy;
  }

  template <class Worker, class F>
  void foreach_resumable(Worker* self, F f) {
    while (auto* job = d(self).queue.take_head())
      f(job);
  }

  template <class Coordinator, class F>
  void foreach_central_resumable(Coordinator*, F) {}

private:
  static constexpr auto looks = 100;
  static constexpr auto patience = std::chrono::milliseconds{1};

  // Its own, or else the oldest of another.
  template <class Worker>
  caf::resumable* find(Worker* self) {
    if (auto* job = d(self).queue.take_head())
      return job;
    auto n = self->parent()->num_workers();
    for (size_t i = 1; i < n; ++i) {
      auto& other = d(self->parent()->worker_by_id((self->id() + i) % n));
      if (auto* job = other.queue.empty() ? nullptr : other.queue.take_tail())
        return job;
    }
    return nullptr;
  }

  // It says that it sleeps before it looks a last time, and whoever has a job
  // looks afterwards whether it sleeps; of those that are busy likewise.
  template <class Worker>
  caf::resumable* await(Worker* self) {
    auto& all = d(self->parent());
    auto& me = d(self);
    for (;;) {
      {
        auto guard = std::lock_guard{me.mutex};
        me.sleeps = true;
      }
      auto* job = find(self);
      auto watches = !job && all.busy > 0 && !all.watched.exchange(true);
      {
        auto guard = std::unique_lock{me.mutex};
        auto woken = [&] { return me.woken; };
        if (watches)
          me.changed.wait_for(guard, patience, woken);
        else if (!job)
          me.changed.wait(guard, woken);
        me.sleeps = me.woken = false;
      }
      if (watches)
        all.watched = false;
      if (job || (job = find(self)))
        return job;
    }
  }

  // So that it watches while this one is at work.
  template <class Worker>
  void wake_another(Worker* self) {
    auto n = self->parent()->num_workers();
    for (size_t i = 1; i < n; ++i)
      if (wake(d(self->parent()->worker_by_id((self->id() + i) % n)))) {
        ++d(self->parent()).wakes;
        return;
      }
  }

  // False if it does not sleep, or is woken already: then nothing is given.
  static bool wake(worker_data& w, caf::resumable* job = nullptr) {
    auto guard = std::lock_guard{w.mutex};
    if (!w.sleeps || w.woken)
      return false;
    if (job)
      w.queue.append(job);
    w.woken = true;
    w.changed.notify_one();
    return true;
  }
};

} // namespace troupe
