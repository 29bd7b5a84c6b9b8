#pragma once

#include <cstdint>
#include <vector>

#include "core/kv/block_pool.hpp"

namespace troupe {

/// The KV blocks of one sequence, in order: token t lies in block
/// t / kv_block_tokens at row t % kv_block_tokens.
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

  /// Gives memory to reserved blocks until `tokens` tokens fit.
  /// REQUIRES: tokens <= room().
  void back(uint32_t tokens);

  void append(block_lease lease) { blocks_.push_back(std::move(lease)); }

  /// REQUIRES: tokens <= room().
  void set_length(uint32_t tokens) { length_ = tokens; }

  void clear() {
    blocks_.clear();
    length_ = 0;
  }

private:
  std::vector<block_lease> blocks_;
  uint32_t length_ = 0;
};

} // namespace troupe
