#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/trust/sha256.hpp"

namespace troupe {

// The Merkle tree of RFC 9162, section 2.1, over SHA-256.

/// The hash of two subtrees.
sha256_digest merkle_node(const sha256_digest& left,
                          const sha256_digest& right);

/// The hash of an entry that comes in two parts.
sha256_digest merkle_leaf(const_bytes first, const_bytes second = {});

/// The root of an empty tree.
sha256_digest empty_merkle_root();

/// The tree of all leaves so far, as its complete subtrees alone: it grows leaf
/// by leaf, and needs 32 bytes for each one bit of the number of leaves.
class merkle_frontier {
public:
  merkle_frontier() = default;
  /// The subtrees of `size` leaves, the largest first. REQUIRES: as many as
  /// `size` has one bits.
  merkle_frontier(uint64_t size, std::span<const sha256_digest> peaks);

  void add(const sha256_digest& leaf);

  uint64_t size() const { return size_; }
  sha256_digest root() const;
  /// The largest first.
  std::span<const sha256_digest> peaks() const {
    return {peaks_.data(), count_};
  }

  friend bool operator==(const merkle_frontier& a, const merkle_frontier& b);

private:
  uint64_t size_ = 0;
  size_t count_ = 0;
  std::array<sha256_digest, 64> peaks_{};
};

/// How many subtrees a frontier of that size has.
size_t merkle_peaks(uint64_t size);

} // namespace troupe
