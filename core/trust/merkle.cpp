#include "core/trust/merkle.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace troupe {

sha256_digest merkle_node(const sha256_digest& left,
                          const sha256_digest& right) {
  auto all = std::array<uint8_t, 65>{1};
  std::copy(left.begin(), left.end(), all.begin() + 1);
  std::copy(right.begin(), right.end(), all.begin() + 33);
  return sha256_of(std::as_bytes(std::span{all}));
}

sha256_digest merkle_leaf(const_bytes first, const_bytes second) {
  constexpr auto zero = std::byte{0};
  return sha256{}.add({&zero, 1}).add(first).add(second).finish();
}

sha256_digest empty_merkle_root() {
  return sha256_of({});
}

size_t merkle_peaks(uint64_t size) {
  return static_cast<size_t>(std::popcount(size));
}

merkle_frontier::merkle_frontier(uint64_t size,
                                 std::span<const sha256_digest> peaks)
    : size_(size), count_(peaks.size()) {
  assert(count_ == merkle_peaks(size));
  std::copy(peaks.begin(), peaks.end(), peaks_.begin());
}

void merkle_frontier::add(const sha256_digest& leaf) {
  auto hash = leaf;
  // Each one bit at the end is a subtree that is as large as what we have.
  for (auto bits = size_; bits & 1; bits >>= 1)
    hash = merkle_node(peaks_[--count_], hash);
  peaks_[count_++] = hash;
  ++size_;
}

sha256_digest merkle_frontier::root() const {
  if (count_ == 0)
    return empty_merkle_root();
  auto hash = peaks_[count_ - 1];
  for (auto i = count_ - 1; i > 0; --i)
    hash = merkle_node(peaks_[i - 1], hash);
  return hash;
}

bool operator==(const merkle_frontier& a, const merkle_frontier& b) {
  return a.size_ == b.size_ && std::ranges::equal(a.peaks(), b.peaks());
}

} // namespace troupe
