#include "actors/activity.hpp"

#include <map>
#include <mutex>

namespace troupe {

namespace {

struct all_kinds {
  std::mutex mutex;
  std::vector<const actor_activity*> kinds;
};

// Never destroyed: actors may outlive what is static.
all_kinds& all() {
  static auto* a = new all_kinds;
  return *a;
}

} // namespace

actor_activity::actor_activity(const char* name) : name_(name) {
  auto& a = all();
  auto guard = std::lock_guard{a.mutex};
  a.kinds.push_back(this);
}

size_t actor_activity::slot() {
  static std::atomic<size_t> threads{0};
  thread_local const auto mine =
      threads.fetch_add(1, std::memory_order_relaxed) % slots;
  return mine;
}

uint64_t actor_activity::messages() const {
  auto n = uint64_t{0};
  for (auto& c : cells_)
    n += c.handled.load(std::memory_order_relaxed);
  return n;
}

std::vector<activity_count> actor_activities() {
  auto counts = std::map<std::string_view, activity_count>{};
  auto& a = all();
  auto guard = std::lock_guard{a.mutex};
  for (auto* k : a.kinds) {
    auto& c = counts[k->name()];
    c.name = k->name();
    c.messages += k->messages();
    c.alive += k->alive();
  }
  auto values = std::vector<activity_count>{};
  for (auto& [name, c] : counts)
    values.push_back(c);
  return values;
}

} // namespace troupe
