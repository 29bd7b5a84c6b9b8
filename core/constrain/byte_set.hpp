#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace troupe::constrain {

/// A set of bytes.
class byte_set {
public:
  void add(uint8_t b) { words_[b >> 6] |= uint64_t{1} << (b & 63); }
  void add(uint8_t first, uint8_t last) {
    for (auto b = unsigned{first}; b <= last; ++b)
      add(static_cast<uint8_t>(b));
  }
  /// Whether anything was added that was not there.
  bool add(const byte_set& other) {
    auto before = words_;
    for (auto i = 0u; i < 4; ++i)
      words_[i] |= other.words_[i];
    return words_ != before;
  }
  bool contains(uint8_t b) const { return words_[b >> 6] >> (b & 63) & 1; }
  bool empty() const {
    return (words_[0] | words_[1] | words_[2] | words_[3]) == 0;
  }

  bool operator==(const byte_set&) const = default;

private:
  std::array<uint64_t, 4> words_{};
};

} // namespace troupe::constrain
