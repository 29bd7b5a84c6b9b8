#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/kv/page_table.hpp"

namespace troupe {

/// Which blocks of some sequences may move, where they and all others lie, and
/// the moving itself: what `compact` plans on. Lives for one call of it.
class block_map {
public:
  /// What is in a slot: the number of a block that may move, or one of these.
  static constexpr auto vacant = UINT32_MAX;
  static constexpr auto fixed = UINT32_MAX - 1;

  struct block {
    block_lease* lease;
    uint32_t slot;
    uint32_t segment;
    uint32_t run; ///< blocks of its segment side by side with it, and itself
    bool follows; ///< the block before it in number is so in its sequence, too
  };

  /// Blocks of one sequence, by number, that should lie side by side.
  struct segment {
    uint32_t first;
    uint32_t blocks;
    bool grows; ///< the end of a sequence, more may come
    uint32_t runs;
  };

  enum class outcome : uint8_t { moved, no_budget, slot_lost };

  /// Segments hold at most `segment_blocks` blocks.
  block_map(std::span<page_table* const> tables, block_arena& arena,
            uint32_t segment_blocks, uint32_t max_copies);

  /// Slots in use, by whomever.
  uint32_t used() const { return used_; }
  uint32_t slots() const { return static_cast<uint32_t>(in_slot_.size()); }
  uint32_t in_slot(uint32_t slot) const { return in_slot_[slot]; }
  const std::vector<block>& blocks() const { return blocks_; }
  const std::vector<segment>& segments() const { return segments_; }
  bool side_by_side(uint32_t slot, uint32_t next) const {
    return next == slot + 1 && !arena_.begins_slab(next);
  }
  bool begins_slab(uint32_t slot) const { return arena_.begins_slab(slot); }

  uint32_t copies() const { return copies_; }
  uint32_t copies_left() const { return max_copies_ - copies_; }

  /// Moves a block to a slot that is vacant, for one copy, or exchanges it with
  /// the block there, for two. Another thread may have taken the vacant slot
  /// meanwhile: it is fixed from now on.
  /// REQUIRES: the slot is neither fixed nor the block's own.
  outcome put(uint32_t block, uint32_t slot);

private:
  void add(page_table& table, uint32_t segment_blocks);
  void measure(uint32_t segment);

  block_arena& arena_;
  size_t bytes_;
  uint32_t max_copies_;
  uint32_t copies_ = 0;
  uint32_t used_ = 0;
  std::vector<uint32_t> in_slot_;
  std::vector<block> blocks_;
  std::vector<segment> segments_;
};

} // namespace troupe
