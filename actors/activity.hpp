#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace troupe {

/// Counts what the actors of one kind do, in all threads of the process.
class actor_activity {
public:
  explicit actor_activity(const char* name);

  void born() { alive_.fetch_add(1, std::memory_order_relaxed); }
  void died() { alive_.fetch_sub(1, std::memory_order_relaxed); }
  void handled() {
    cells_[slot()].handled.fetch_add(1, std::memory_order_relaxed);
  }

  std::string_view name() const { return name_; }
  uint64_t messages() const;
  uint64_t alive() const { return alive_.load(std::memory_order_relaxed); }

private:
  // Threads share cells only where there are many.
  static constexpr auto slots = size_t{16};
  struct alignas(64) cell {
    std::atomic<uint64_t> handled{0};
  };

  static size_t slot();

  const char* name_;
  std::atomic<uint64_t> alive_{0};
  std::array<cell, slots> cells_;
};

/// Those of actors whose state is a `State`, which lasts for ever.
template <class State>
actor_activity& activity_of() {
  static actor_activity a{State::name};
  return a;
}

/// What one kind has done since the process began.
struct activity_count {
  std::string_view name;
  uint64_t messages = 0;
  uint64_t alive = 0;
};

/// All kinds that there have been, by name.
std::vector<activity_count> actor_activities();

} // namespace troupe
