#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/block_pool.hpp"
#include "core/kv/handoff_messages.hpp"
#include "core/kv/page_table.hpp"

namespace troupe {

/// Full KV blocks by the tokens that they and all blocks before them hold, so
/// that sequences that begin alike share them (as in vLLM, Kwon et al. 2023,
/// and SGLang, Zheng et al. 2024). A block is found by a digest chained over
/// the prefix, and taken only if its tokens and its predecessor are the right
/// ones: digests that collide cost a hit, nothing else.
///
/// The index holds leases of its node's pool. Blocks that nobody else holds go,
/// least recently used first, when the pool needs room: it never has less for
/// others than if there were no index.
class prefix_index {
public:
  using digest_function = kv_digest (*)(const kv_digest& before,
                                        std::span<const std::byte> bytes);

  /// XXH3-128 of the digest before and of the bytes.
  static kv_digest chain(const kv_digest& before,
                         std::span<const std::byte> bytes);

  /// Holds at most `max_blocks` blocks; 0 turns it off. `digest` is for tests.
  explicit prefix_index(uint32_t max_blocks, digest_function digest = chain)
      : max_blocks_(max_blocks), digest_(digest) {}
  prefix_index(const prefix_index&) = delete;
  prefix_index& operator=(const prefix_index&) = delete;

  /// Gives `table` the cached blocks that follow its length, and returns how
  /// many tokens that are. At least one of `tokens` is left to compute.
  /// Sequences of another `salt` are never found.
  /// REQUIRES: table.share() may be called.
  uint32_t share(std::string_view salt, std::span<const token_id> tokens,
                 page_table& table);

  /// Shares what is cached, then reserves blocks of `pool` until `room` tokens
  /// fit, evicting for it. False, and neither table nor index changed, if even
  /// that gives too few.
  /// REQUIRES: `table` is empty.
  bool admit(std::string_view salt, std::span<const token_id> tokens,
             uint32_t room, block_pool& pool, page_table& table);

  /// Keeps the full blocks of `table`, whose first tokens are `tokens`, and
  /// seals them.
  void insert(std::string_view salt, std::span<const token_id> tokens,
              page_table& table);

  /// Frees up to `blocks` blocks of the pool; returns how many.
  uint32_t evict(uint32_t blocks);
  void clear();

  uint32_t blocks() const { return static_cast<uint32_t>(order_.size()); }
  /// Those that nobody else holds.
  uint32_t reclaimable() const;

  /// Most recently used first.
  template <class F>
  void for_each(F f) const {
    for (auto& e : order_)
      f(e.block);
  }

private:
  struct entry {
    kv_digest key;
    entry* before = nullptr; ///< null: the first block of a prompt
    std::string salt;        ///< of first blocks
    std::array<token_id, kv_block_tokens> tokens{};
    block_lease block;
    uint32_t followers = 0;
  };
  /// Most recently used first; whoever precedes a block in a prompt is always
  /// more recent than it, so that the last entry has no followers.
  using entries = std::list<entry>;
  struct digest_hash {
    size_t operator()(const kv_digest& d) const { return d.low; }
  };
  using path = std::vector<entries::iterator>;

  path find(std::string_view salt, std::span<const token_id> tokens,
            uint32_t most) const;
  kv_digest next_key(const path& p, std::string_view salt,
                     std::span<const token_id> block) const;
  void touch(const path& p);
  entries::iterator erase(entries::iterator i);
  uint32_t evict_unused(uint32_t most, size_t spared);

  uint32_t max_blocks_;
  digest_function digest_;
  entries order_;
  std::unordered_map<kv_digest, entries::iterator, digest_hash> by_key_;
};

} // namespace troupe
