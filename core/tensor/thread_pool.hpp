#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace troupe {

/// The threads of one engine. A step is many short parallel regions, so an
/// idle thread spins for a while before it sleeps, and tasks are claimed one
/// at a time: a thread whose core is busy elsewhere is not waited for unless
/// it holds a task.
class thread_pool {
public:
  /// Starts `threads` - 1 threads, or as many as the system lets it; the caller
  /// of run() is the other one.
  explicit thread_pool(unsigned threads);
  ~thread_pool();

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// Threads that compute, the caller included.
  unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }

  /// Calls fn(task, worker) for each task in [0, tasks), in any order and on
  /// any thread; `worker` < size() names the thread, for scratch memory.
  /// Returns when all are done. Tasks must not throw.
  /// REQUIRES: called by one thread at a time, and never from a task.
  template <class F>
  void run(uint32_t tasks, F&& fn) {
    using f = std::remove_reference_t<F>;
    run_erased(
        tasks,
        [](const void* context, uint32_t task, unsigned worker) {
          (*static_cast<f*>(const_cast<void*>(context)))(task, worker);
        },
        &fn);
  }

private:
  using invoke = void (*)(const void*, uint32_t task, unsigned worker);

  void run_erased(uint32_t tasks, invoke fn, const void* context);
  /// Runs tasks until none is left to claim.
  void drain(unsigned worker);
  void work(unsigned worker);

  // Written by run() while nothing can be claimed, read after a claim.
  invoke fn_ = nullptr;
  const void* context_ = nullptr;
  uint32_t tasks_ = 0;

  /// Tasks not claimed yet.
  alignas(64) std::atomic<uint32_t> unclaimed_ = 0;
  alignas(64) std::atomic<uint32_t> finished_ = 0;
  /// Incremented whenever there is something to wake up for.
  alignas(64) std::atomic<uint32_t> calls_ = 0;
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

} // namespace troupe
