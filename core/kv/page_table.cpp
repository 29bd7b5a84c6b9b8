#include "core/kv/page_table.hpp"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace troupe {

bool page_table::grow(block_pool& pool, uint32_t tokens) {
  auto held = blocks();
  if (!reserve(pool, tokens))
    return false;
  for (auto i = held; i < blocks(); ++i)
    blocks_[i].materialise();
  return true;
}

bool page_table::reserve(block_pool& pool, uint32_t tokens) {
  auto need = kv_layout::blocks_for(tokens);
  if (need <= blocks())
    return true;
  auto leases = pool.reserve(need - blocks());
  if (!leases)
    return false;
  if (blocks_.empty())
    blocks_ = std::move(*leases);
  else
    std::move(leases->begin(), leases->end(), std::back_inserter(blocks_));
  return true;
}

void page_table::back(uint32_t tokens) {
  // Blocks get memory in order, so only the tail can lack it.
  for (auto i = kv_layout::blocks_for(tokens); i-- > 0;) {
    if (blocks_[i].has_memory())
      return;
    blocks_[i].materialise();
  }
}

void page_table::share(block_lease full) {
  assert(length_ % kv_block_tokens == 0 && full.has_memory());
  auto next = length_ / kv_block_tokens;
  assert(next >= blocks() || !blocks_[next].has_memory());
  if (next < blocks())
    blocks_[next] = std::move(full);
  else
    blocks_.push_back(std::move(full));
  length_ += kv_block_tokens;
  seal(next + 1);
}

void page_table::seal(uint32_t blocks) {
  assert(blocks * kv_block_tokens <= length_);
  sealed_ = std::max(sealed_, blocks);
}

void page_table::set_length(uint32_t tokens) {
  assert(tokens <= room() && tokens >= sealed_ * kv_block_tokens);
  length_ = tokens;
}

} // namespace troupe
