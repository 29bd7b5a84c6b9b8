#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace troupe {

/// Things that are under way, each by a number that is never given out again
/// in practice: what has ended cannot end once more.
template <class T>
class ticket_slab {
public:
  uint64_t add(T value) {
    if (ended_.empty()) {
      ended_.push_back(static_cast<uint32_t>(entries_.size()));
      entries_.emplace_back();
    }
    auto i = ended_.back();
    ended_.pop_back();
    auto& e = entries_[i];
    e = {e.generation + 1, true, std::move(value)};
    return uint64_t{e.generation} << 32 | i;
  }

  /// Null if it has ended.
  T* find(uint64_t id) {
    auto i = static_cast<uint32_t>(id);
    if (i >= entries_.size() || !entries_[i].open
        || entries_[i].generation != id >> 32)
      return nullptr;
    return &entries_[i].value;
  }

  /// Ends it.
  std::optional<T> take(uint64_t id) {
    auto* value = find(id);
    if (!value)
      return std::nullopt;
    auto i = static_cast<uint32_t>(id);
    entries_[i].open = false;
    ended_.push_back(i);
    return std::move(*value);
  }

  /// Calls `f` with the number and the thing of all that are under way. It must
  /// not add or take any.
  template <class F>
  void for_each(F f) {
    for (size_t i = 0; i < entries_.size(); ++i)
      if (auto& e = entries_[i]; e.open)
        f(uint64_t{e.generation} << 32 | i, e.value);
  }

private:
  struct entry {
    uint32_t generation = 0;
    bool open = false;
    T value = {};
  };

  std::vector<entry> entries_;
  std::vector<uint32_t> ended_;
};

} // namespace troupe
