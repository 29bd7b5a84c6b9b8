#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace troupe {

/// Which threads are at work, each by a flag that only it writes: to say so
/// costs a thread one store. Flags go with whoever holds them. Safe to use from
/// any thread.
class work_flags {
public:
  using flag = std::shared_ptr<std::atomic<bool>>;

  flag add() {
    auto guard = std::lock_guard{mutex_};
    std::erase_if(flags_, [](auto& f) { return f.use_count() == 1; });
    return flags_.emplace_back(std::make_shared<std::atomic<bool>>(false));
  }

  /// Whether no thread is. What threads did before is seen by the caller.
  bool none() const {
    auto guard = std::lock_guard{mutex_};
    return std::ranges::none_of(
        flags_, [](auto& f) { return f->load(std::memory_order_acquire); });
  }

  /// Flags that are held, and those given up since the last `add`.
  size_t size() const {
    auto guard = std::lock_guard{mutex_};
    return flags_.size();
  }

private:
  mutable std::mutex mutex_;
  std::vector<flag> flags_;
};

} // namespace troupe
