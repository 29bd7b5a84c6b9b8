#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace troupe {

/// Threads that compute one thing together, again and again: made once, woken
/// by spinning for a moment and then by a futex. The caller is one of them.
/// One caller at a time.
class thread_pool {
public:
  /// REQUIRES: threads >= 1, the caller's included.
  explicit thread_pool(unsigned threads);
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool();

  unsigned threads() const { return static_cast<unsigned>(all_.size()) + 1; }

  /// Calls f(0), …, f(tasks - 1), each once, on whichever thread is free, and
  /// returns when all have returned. `f` must not throw. Which thread runs
  /// which task is left to chance: results must not depend on it.
  template <class F>
  void run(uint32_t tasks, F&& f) {
    using callable = std::remove_reference_t<F>;
    if (all_.empty() || tasks <= 1) {
      for (uint32_t i = 0; i < tasks; ++i)
        f(i);
      return;
    }
    run_shared(
        tasks,
        [](void* context, uint32_t task) {
          (*static_cast<callable*>(context))(task);
        },
        const_cast<std::remove_const_t<callable>*>(&f));
  }

private:
  using function = void (*)(void*, uint32_t);

  void run_shared(uint32_t tasks, function f, void* context);
  bool work_on();
  void serve();

  // Number of the job in the upper half, tasks not yet claimed in the lower:
  // one word, so that a thread that wakes late cannot claim a task of a job
  // that is over, and the job cannot end while a claimed task runs.
  std::atomic<uint64_t> ticket_{0};
  std::atomic<uint32_t> finished_{0};
  std::atomic<bool> stop_{false};
  function f_ = nullptr;
  void* context_ = nullptr;
  uint32_t tasks_ = 0;
  std::vector<std::thread> all_;
};

} // namespace troupe
