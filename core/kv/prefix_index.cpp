#include "core/kv/prefix_index.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace troupe {

namespace {

std::span<const token_id> block_of(std::span<const token_id> tokens, size_t i) {
  return tokens.subspan(i * kv_block_tokens, kv_block_tokens);
}

} // namespace

kv_digest prefix_index::chain(const kv_digest& before,
                              std::span<const std::byte> bytes) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, &before, sizeof(before));
  XXH3_128bits_update(&state, bytes.data(), bytes.size());
  auto h = XXH3_128bits_digest(&state);
  return {h.low64, h.high64};
}

// -- finding ------------------------------------------------------------------

kv_digest prefix_index::next_key(const path& p, std::string_view salt,
                                 std::span<const token_id> block) const {
  auto before =
      p.empty() ? digest_({}, std::as_bytes(std::span{salt})) : p.back()->key;
  return digest_(before, std::as_bytes(block));
}

prefix_index::path prefix_index::find(std::string_view salt,
                                      std::span<const token_id> tokens,
                                      uint32_t most) const {
  auto found = path{};
  while (found.size() < most) {
    auto block = block_of(tokens, found.size());
    auto i = by_key_.find(next_key(found, salt, block));
    if (i == by_key_.end())
      break;
    auto& e = *i->second;
    auto* before = found.empty() ? nullptr : &*found.back();
    if (e.before != before || (before == nullptr && e.salt != salt)
        || !std::equal(block.begin(), block.end(), e.tokens.begin()))
      break;
    found.push_back(i->second);
  }
  return found;
}

void prefix_index::touch(const path& p) {
  for (auto i = p.rbegin(); i != p.rend(); ++i)
    order_.splice(order_.begin(), order_, *i);
}

uint32_t prefix_index::share(std::string_view salt,
                             std::span<const token_id> tokens,
                             page_table& table) {
  if (order_.empty() || tokens.empty())
    return 0;
  auto first = table.length() / kv_block_tokens;
  auto most = static_cast<uint32_t>((tokens.size() - 1) / kv_block_tokens);
  if (most <= first)
    return 0;
  auto found = find(salt, tokens, most);
  touch(found);
  auto gained = uint32_t{0};
  for (auto i = size_t{first}; i < found.size(); ++i) {
    table.share(found[i]->block.share());
    gained += kv_block_tokens;
  }
  return gained;
}

bool prefix_index::admit(std::string_view salt,
                         std::span<const token_id> tokens, uint32_t room,
                         block_pool& pool, page_table& table) {
  assert(table.blocks() == 0);
  share(salt, tokens, table);
  auto need = kv_layout::blocks_for(room);
  need -= std::min(need, table.blocks());
  auto lacking = need - std::min(need, pool.available());
  if (lacking > 0 && lacking > reclaimable()) {
    table.clear();
    return false;
  }
  if (lacking > 0)
    evict(lacking);
  return table.reserve(pool, room);
}

// -- keeping ------------------------------------------------------------------

void prefix_index::insert(std::string_view salt,
                          std::span<const token_id> tokens, page_table& table) {
  if (max_blocks_ == 0)
    return;
  auto full = static_cast<uint32_t>(
      std::min<size_t>(tokens.size(), table.length()) / kv_block_tokens);
  auto p = find(salt, tokens, full);
  touch(p);
  auto fresh = full - static_cast<uint32_t>(p.size());
  if (order_.size() + fresh > max_blocks_)
    evict_unused(static_cast<uint32_t>(order_.size()) + fresh - max_blocks_,
                 p.size());
  while (p.size() < full && order_.size() < max_blocks_) {
    auto block = block_of(tokens, p.size());
    auto key = next_key(p, salt, block);
    auto [i, is_new] = by_key_.try_emplace(key);
    if (!is_new) // two prefixes of one digest: the first keeps it
      break;
    auto& e = order_.emplace_front();
    i->second = order_.begin();
    e.key = key;
    if (p.empty())
      e.salt = salt;
    else
      e.before = &*p.back();
    std::copy(block.begin(), block.end(), e.tokens.begin());
    e.block = table.lease(static_cast<uint32_t>(p.size())).share();
    if (e.before != nullptr)
      ++e.before->followers;
    p.push_back(order_.begin());
  }
  touch(p);
  table.seal(full);
}

// -- letting go ---------------------------------------------------------------

prefix_index::entries::iterator prefix_index::erase(entries::iterator i) {
  if (i->before != nullptr)
    --i->before->followers;
  by_key_.erase(i->key);
  return order_.erase(i);
}

// One walk finds them all, since a block comes before those it follows. The
// first `spared` entries stay.
uint32_t prefix_index::evict_unused(uint32_t most, size_t spared) {
  auto freed = uint32_t{0};
  auto left = order_.size() - spared;
  for (auto i = order_.end(); freed < most && left > 0; --left) {
    --i;
    if (i->followers == 0 && !i->block.shared()) {
      i = erase(i);
      ++freed;
    }
  }
  return freed;
}

uint32_t prefix_index::evict(uint32_t blocks) {
  blocks = std::min(blocks, reclaimable());
  auto freed = evict_unused(blocks, 0);
  // What is unused still precedes a block that is used: that one is forgotten,
  // too. Its users keep it.
  while (freed < blocks) {
    assert(order_.back().followers == 0);
    freed += order_.back().block.shared() ? 0 : 1;
    erase(std::prev(order_.end()));
  }
  return freed;
}

void prefix_index::clear() {
  by_key_.clear();
  order_.clear();
}

uint32_t prefix_index::reclaimable() const {
  return static_cast<uint32_t>(
      std::count_if(order_.begin(), order_.end(),
                    [](const entry& e) { return !e.block.shared(); }));
}

} // namespace troupe
