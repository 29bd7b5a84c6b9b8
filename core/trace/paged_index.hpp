#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

namespace troupe {

/// Finds indices by numbers that were counted up, from some beginnings: those
/// near to each other share a page, which costs about 5 bytes a number. Numbers
/// that were not counted cost more, but no more than the records they are in
/// by a constant factor.
class paged_index {
public:
  static constexpr uint32_t none = ~uint32_t{0};

  /// The first index that a number is given stays. False: it has one.
  bool add(uint64_t number, uint32_t index) {
    auto& place = page(number)[number % size];
    if (place != none)
      return false;
    place = index;
    return true;
  }

  uint32_t find(uint64_t number) const {
    auto i = pages_.find(number / size);
    return i == pages_.end() ? none : i->second[number % size];
  }

private:
  static constexpr uint64_t size = 32;
  using numbers = std::array<uint32_t, size>;

  numbers& page(uint64_t number) {
    auto [i, is_new] = pages_.try_emplace(number / size);
    if (is_new)
      i->second.fill(none);
    return i->second;
  }

  std::unordered_map<uint64_t, numbers> pages_;
};

} // namespace troupe
