#pragma once

#include <cstdint>
#include <vector>

#include "core/kv/block_pool.hpp"

namespace troupe {

/// The KV blocks of one sequence, in order: token t lies in block
/// t / kv_block_tokens at row t % kv_block_tokens. Whoever computes writes from
/// length() on, so blocks before it can be shared once they are full; the first
/// `sealed()` may be, and length() never falls below them.
class page_table {
public:
  /// Tokens whose KV is written.
  uint32_t length() const { return length_; }
  /// Tokens that fit the blocks held.
  uint32_t room() const {
    return static_cast<uint32_t>(blocks_.size()) * kv_block_tokens;
  }
  uint32_t blocks() const { return static_cast<uint32_t>(blocks_.size()); }
  std::byte* block(uint32_t i) const { return blocks_[i].data(); }
  const block_lease& lease(uint32_t i) const { return blocks_[i]; }
  block_lease& lease(uint32_t i) { return blocks_[i]; }

  /// Takes blocks from `pool` until `tokens` tokens fit; false, and nothing
  /// taken, if the pool cannot.
  bool grow(block_pool& pool, uint32_t tokens);

  /// The same without memory, which `back` gives later.
  bool reserve(block_pool& pool, uint32_t tokens);

  /// Gives memory to reserved blocks until `tokens` tokens fit.
  /// REQUIRES: tokens <= room().
  void back(uint32_t tokens);

  void append(block_lease lease) { blocks_.push_back(std::move(lease)); }

  /// Takes a full block, somebody else's, as the next one: in place of a
  /// reserved block if there is one, else in addition.
  /// REQUIRES: length() is a number of whole blocks, and the next one, if
  /// there, has no memory.
  void share(block_lease full);

  /// Full blocks at the front that are never written again.
  uint32_t sealed() const { return sealed_; }

  /// Others may read the first `blocks` blocks from now on.
  /// REQUIRES: they are full.
  void seal(uint32_t blocks);

  /// REQUIRES: tokens <= room(), and no sealed block is to be written again.
  void set_length(uint32_t tokens);

  void clear() {
    blocks_.clear();
    length_ = sealed_ = 0;
  }

private:
  std::vector<block_lease> blocks_;
  uint32_t length_ = 0;
  uint32_t sealed_ = 0;
};

} // namespace troupe
