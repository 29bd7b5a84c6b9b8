#include "core/tensor/thread_pool.hpp"

#include <cassert>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace troupe {

namespace {

// About 50 µs: longer than the gaps within a step, shorter than a time slice.
constexpr auto spins = 2000;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

uint32_t unclaimed(uint64_t ticket) {
  return static_cast<uint32_t>(ticket);
}

} // namespace

thread_pool::thread_pool(unsigned threads) {
  assert(threads >= 1);
  for (unsigned i = 1; i < threads; ++i)
    all_.emplace_back([this] { serve(); });
}

thread_pool::~thread_pool() {
  stop_.store(true, std::memory_order_release);
  // A job of no tasks: changes the word that sleepers watch.
  ticket_.fetch_add(uint64_t{1} << 32, std::memory_order_acq_rel);
  ticket_.notify_all();
  for (auto& t : all_)
    t.join();
}

void thread_pool::run_shared(uint32_t tasks, function f, void* context) {
  f_ = f;
  context_ = context;
  tasks_ = tasks;
  finished_.store(0, std::memory_order_relaxed);
  auto job = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(job << 32 | tasks, std::memory_order_release);
  ticket_.notify_all();
  while (work_on()) {
  }
  for (auto i = 0;; ++i) {
    auto done = finished_.load(std::memory_order_acquire);
    if (done == tasks)
      return;
    if (i < spins)
      relax();
    else
      finished_.wait(done, std::memory_order_acquire);
  }
}

// Claims a task and runs it; false if none is left.
bool thread_pool::work_on() {
  auto ticket = ticket_.load(std::memory_order_acquire);
  do {
    if (unclaimed(ticket) == 0)
      return false;
  } while (!ticket_.compare_exchange_weak(ticket, ticket - 1,
                                          std::memory_order_acq_rel,
                                          std::memory_order_acquire));
  auto tasks = tasks_;
  f_(context_, tasks - unclaimed(ticket));
  if (finished_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks)
    finished_.notify_one();
  return true;
}

void thread_pool::serve() {
  for (auto idle = 0; !stop_.load(std::memory_order_acquire);) {
    if (work_on()) {
      idle = 0;
    } else if (++idle < spins) {
      relax();
    } else {
      auto ticket = ticket_.load(std::memory_order_acquire);
      if (unclaimed(ticket) == 0 && !stop_.load(std::memory_order_acquire))
        ticket_.wait(ticket, std::memory_order_acquire);
    }
  }
}

} // namespace troupe
