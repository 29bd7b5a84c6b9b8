#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/trust/merkle.hpp"

namespace troupe {

using merkle_path = std::vector<sha256_digest>;

/// A tree whose leaves are known from some number on; of those before there is
/// the frontier alone. What needs more than that cannot be had.
class merkle_tree {
public:
  merkle_tree() = default;
  explicit merkle_tree(merkle_frontier before);

  void add(const sha256_digest& leaf) { leaves_.push_back(leaf); }

  uint64_t first() const { return before_.size(); }
  uint64_t size() const { return first() + leaves_.size(); }
  /// REQUIRES: first() <= leaf < size().
  const sha256_digest& leaf(uint64_t leaf) const {
    return leaves_[leaf - first()];
  }

  /// Of the first `size` leaves.
  std::optional<sha256_digest> root(uint64_t size) const;
  /// RFC 9162, 2.1.3.1: shows that `leaf` is in the tree of `size` leaves.
  /// Nothing unless leaf < size <= size().
  std::optional<merkle_path> inclusion(uint64_t leaf, uint64_t size) const;
  /// RFC 9162, 2.1.4.1: shows that the tree of `old_size` leaves is the
  /// beginning of that of `size`. Nothing unless 0 < old_size <= size <=
  /// size().
  std::optional<merkle_path> consistency(uint64_t old_size,
                                         uint64_t size) const;

private:
  std::optional<sha256_digest> hash(uint64_t begin, uint64_t end) const;
  bool prove(uint64_t old_size, uint64_t begin, uint64_t end, bool whole,
             merkle_path& path) const;

  merkle_frontier before_;
  std::vector<sha256_digest> leaves_;
};

/// RFC 9162, 2.1.3.2.
bool verify_inclusion(const sha256_digest& leaf_hash, uint64_t leaf,
                      uint64_t size, const merkle_path& path,
                      const sha256_digest& root);

/// RFC 9162, 2.1.4.2. Also of a tree and itself, whose path is empty.
bool verify_consistency(uint64_t old_size, uint64_t size,
                        const merkle_path& path, const sha256_digest& old_root,
                        const sha256_digest& root);

} // namespace troupe
