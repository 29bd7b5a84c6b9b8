#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

/// The last things said about so many keys, in a fixed amount of memory: a
/// table of sets of four, the least recently used of which gives way. For hints
/// alone: what is in it may go at any time.
template <class Value>
class recent_map {
public:
  /// Room for at least `entries`, in powers of two; none at all for 0.
  explicit recent_map(size_t entries)
      : sets_(entries == 0 ? 0 : std::bit_ceil((entries + ways - 1) / ways)) {}

  /// What was last said about `key`; null: nothing, or it is forgotten.
  Value* find(uint64_t key) {
    if (sets_.empty())
      return nullptr;
    for (auto& e : set_of(key))
      if (e.used != 0 && e.key == key) {
        e.used = next();
        return &e.value;
      }
    return nullptr;
  }

  /// The same, or a new value in place of the least recently used one.
  /// REQUIRES: there is room for something.
  Value& at(uint64_t key) {
    if (auto* v = find(key))
      return *v;
    auto* oldest = &set_of(key)[0];
    for (auto& e : set_of(key))
      if (e.used < oldest->used)
        oldest = &e;
    *oldest = {key, next(), {}};
    return oldest->value;
  }

  bool empty() const { return sets_.empty(); }

private:
  static constexpr auto ways = size_t{4};

  struct entry {
    uint64_t key = 0;
    uint64_t used = 0; ///< 0: never
    Value value = {};
  };
  using set = std::array<entry, ways>;

  set& set_of(uint64_t key) {
    auto mixed = key * 0x9e3779b97f4a7c15u;
    return sets_[(mixed >> 32) & (sets_.size() - 1)];
  }
  uint64_t next() { return ++clock_; }

  std::vector<set> sets_;
  uint64_t clock_ = 0;
};

} // namespace troupe
