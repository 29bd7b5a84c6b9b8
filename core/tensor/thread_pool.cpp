#include "core/tensor/thread_pool.hpp"

#include <immintrin.h>

#include <system_error>

#include "core/base/float_mode.hpp"

namespace troupe {

namespace {

// About 50 µs on current x86 (a pause is 40 to 140 cycles): longer than the
// serial parts of a step, shorter than a person would call burning a core.
constexpr auto idle_spins = 2000;
constexpr auto finish_spins = 2000;

} // namespace

thread_pool::thread_pool(unsigned threads) {
  threads_.reserve(threads > 1 ? threads - 1 : 0);
  try {
    for (auto i = 1u; i < threads; ++i)
      threads_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error&) {
    // Fewer do the same, later.
  }
}

thread_pool::~thread_pool() {
  stop_.store(true, std::memory_order_relaxed);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  for (auto& t : threads_)
    t.join();
}

void thread_pool::run_erased(uint32_t tasks, invoke fn, const void* context) {
  if (threads_.empty() || tasks == 1) {
    for (auto i = uint32_t{0}; i < tasks; ++i)
      fn(context, i, 0);
    return;
  }
  if (tasks == 0)
    return;
  fn_ = fn;
  context_ = context;
  tasks_ = tasks;
  finished_.store(0, std::memory_order_relaxed);
  unclaimed_.store(tasks, std::memory_order_release);
  calls_.fetch_add(1, std::memory_order_release);
  calls_.notify_all();
  drain(0);
  for (auto spins = 0; finished_.load(std::memory_order_acquire) != tasks;)
    if (++spins < finish_spins)
      _mm_pause();
    else // whoever holds the last task may be waiting for this very core
      std::this_thread::yield();
}

void thread_pool::drain(unsigned worker) {
  // A claim needs no more than a positive count: even if this thread slept
  // through several calls of run(), what it claims belongs to the current one,
  // which cannot return before the task is finished.
  auto left = unclaimed_.load(std::memory_order_relaxed);
  while (left > 0) {
    if (!unclaimed_.compare_exchange_weak(left, left - 1,
                                          std::memory_order_acquire,
                                          std::memory_order_relaxed))
      continue;
    fn_(context_, tasks_ - left, worker);
    finished_.fetch_add(1, std::memory_order_release);
    left = unclaimed_.load(std::memory_order_relaxed);
  }
}

void thread_pool::work(unsigned worker) {
  auto floats = float_mode{}; // a thread begins with those of its maker
  for (;;) {
    auto seen = calls_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed))
      return;
    drain(worker);
    auto spins = 0;
    while (calls_.load(std::memory_order_relaxed) == seen)
      if (++spins < idle_spins)
        _mm_pause();
      else
        calls_.wait(seen, std::memory_order_relaxed);
  }
}

} // namespace troupe
