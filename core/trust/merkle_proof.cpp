#include "core/trust/merkle_proof.hpp"

#include <bit>

namespace troupe {

namespace {

// Where a tree of `n` leaves, at least two, is split: the largest power of two
// that is less.
uint64_t left_half(uint64_t n) {
  return std::bit_floor(n - 1);
}

} // namespace

merkle_tree::merkle_tree(merkle_frontier before) : before_(before) {}

// What lies before the first leaf we know is a peak of the frontier, if it is
// asked for as a subtree of its own.
std::optional<sha256_digest> merkle_tree::hash(uint64_t begin,
                                               uint64_t end) const {
  if (end <= first()) {
    auto at = uint64_t{0};
    for (auto& peak : before_.peaks()) {
      auto leaves = std::bit_floor(first() - at);
      if (at == begin && at + leaves == end)
        return peak;
      at += leaves;
    }
    // Several peaks, where a root is asked for.
    if (begin != 0 || end != first())
      return std::nullopt;
    return before_.root();
  }
  if (end - begin == 1)
    return leaf(begin);
  auto middle = begin + left_half(end - begin);
  auto left = hash(begin, middle);
  auto right = left ? hash(middle, end) : std::nullopt;
  if (!right)
    return std::nullopt;
  return merkle_node(*left, *right);
}

std::optional<sha256_digest> merkle_tree::root(uint64_t size) const {
  if (size > this->size())
    return std::nullopt;
  return size == 0 ? empty_merkle_root() : hash(0, size);
}

std::optional<merkle_path> merkle_tree::inclusion(uint64_t leaf,
                                                  uint64_t size) const {
  if (leaf >= size || size > this->size())
    return std::nullopt;
  auto path = merkle_path{};
  auto begin = uint64_t{0};
  auto end = size;
  while (end - begin > 1) {
    auto middle = begin + left_half(end - begin);
    auto in_left = leaf < middle;
    auto other = in_left ? hash(middle, end) : hash(begin, middle);
    if (!other)
      return std::nullopt;
    path.push_back(*other);
    (in_left ? end : begin) = middle;
  }
  return merkle_path{path.rbegin(), path.rend()};
}

// SUBPROOF of the RFC, for the leaves [begin, end); `old_size` counts from 0.
bool merkle_tree::prove(uint64_t old_size, uint64_t begin, uint64_t end,
                        bool whole, merkle_path& path) const {
  auto put = [&](uint64_t from, uint64_t to) {
    auto h = hash(from, to);
    if (h)
      path.push_back(*h);
    return h.has_value();
  };
  if (old_size == end)
    return whole || put(begin, end);
  auto middle = begin + left_half(end - begin);
  if (old_size <= middle)
    return prove(old_size, begin, middle, whole, path) && put(middle, end);
  return prove(old_size, middle, end, false, path) && put(begin, middle);
}

std::optional<merkle_path> merkle_tree::consistency(uint64_t old_size,
                                                    uint64_t size) const {
  if (old_size == 0 || old_size > size || size > this->size())
    return std::nullopt;
  auto path = merkle_path{};
  if (!prove(old_size, 0, size, true, path))
    return std::nullopt;
  return path;
}

bool verify_inclusion(const sha256_digest& leaf_hash, uint64_t leaf,
                      uint64_t size, const merkle_path& path,
                      const sha256_digest& root) {
  if (leaf >= size)
    return false;
  auto at = leaf;
  auto last = size - 1;
  auto hash = leaf_hash;
  for (auto& p : path) {
    if (last == 0)
      return false;
    if (at & 1 || at == last) {
      hash = merkle_node(p, hash);
      while (!(at & 1) && at != 0) {
        at >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, p);
    }
    at >>= 1;
    last >>= 1;
  }
  return last == 0 && hash == root;
}

bool verify_consistency(uint64_t old_size, uint64_t size,
                        const merkle_path& path, const sha256_digest& old_root,
                        const sha256_digest& root) {
  if (old_size == 0 || old_size > size)
    return false;
  if (old_size == size)
    return path.empty() && old_root == root;
  auto at = old_size - 1;
  auto last = size - 1;
  while (at & 1) {
    at >>= 1;
    last >>= 1;
  }
  auto next = path.begin();
  // The old tree is a subtree of the new one where its size is a power of two.
  auto whole = std::has_single_bit(old_size);
  if (!whole && next == path.end())
    return false;
  auto old_hash = whole ? old_root : *next++;
  auto hash = old_hash;
  for (; next != path.end(); ++next) {
    if (last == 0)
      return false;
    if (at & 1 || at == last) {
      old_hash = merkle_node(*next, old_hash);
      hash = merkle_node(*next, hash);
      while (!(at & 1) && at != 0) {
        at >>= 1;
        last >>= 1;
      }
    } else {
      hash = merkle_node(hash, *next);
    }
    at >>= 1;
    last >>= 1;
  }
  return last == 0 && old_hash == old_root && hash == root;
}

} // namespace troupe
