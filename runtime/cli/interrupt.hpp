#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace troupe::cli {

/// Catches Ctrl-C (and SIGTERM) on a thread of its own, so that what it calls
/// need not be signal-safe. Make it before any other thread: those inherit the
/// blocked signals. The second signal ends the process at once.
class interrupt_watch {
public:
  interrupt_watch();
  ~interrupt_watch();

  /// Called at the first signal, from the watching thread; at once if that
  /// came already.
  void on_interrupt(std::function<void()> f);

  bool interrupted() const { return interrupted_; }

private:
  void watch();

  std::atomic<bool> interrupted_ = false;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::function<void()> f_;
  std::thread thread_;
};

} // namespace troupe::cli
