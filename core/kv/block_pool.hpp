#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/kv/block_arena.hpp"
#include "core/kv/layout.hpp"

namespace troupe {

/// A right to hold one block, taken from a pool's capacity; move-only, given
/// back on destruction. Holds the block's bytes once they are attached.
class [[nodiscard]] block_lease;

/// One block's place in a pool's capacity: taken while it exists.
class block_slot;

/// How many blocks one node may hold at a time, over a shared arena.
class block_pool {
public:
  block_pool(std::shared_ptr<block_arena> arena, uint32_t capacity);

  /// Takes `n` slots with fresh zeroed blocks, or nothing at all.
  std::optional<std::vector<block_lease>> take(uint32_t n);

  /// Takes `n` slots without memory: blocks arrive by reference or by copy
  /// (`block_lease::attach`, `block_lease::materialise`).
  std::optional<std::vector<block_lease>> reserve(uint32_t n);

  uint32_t capacity() const { return capacity_; }
  uint32_t in_use() const { return used_->load(std::memory_order_relaxed); }
  uint32_t available() const { return capacity_ - in_use(); }
  const kv_layout& layout() const;

private:
  std::shared_ptr<block_arena> arena_;
  std::shared_ptr<std::atomic<uint32_t>> used_;
  uint32_t capacity_;
};

class [[nodiscard]] block_lease {
public:
  block_lease() = default;
  block_lease(std::shared_ptr<block_slot> slot,
              std::shared_ptr<block_arena> arena, block_ref block);
  block_lease(block_lease&& other) noexcept = default;
  block_lease& operator=(block_lease&& other) noexcept = default;

  std::byte* data() const { return block_.get(); }
  const block_ref& ref() const { return block_; }
  bool has_memory() const { return block_ != nullptr; }

  /// What the bytes mean.
  /// REQUIRES: taken from a pool, not default-constructed or moved from.
  const kv_layout& layout() const;

  /// Adopts a block that another node of this process filled.
  void attach(block_ref block) { block_ = std::move(block); }

  /// Allocates zeroed memory of this lease's own.
  void materialise();

  /// Another right to the same block, in the same place: together they count
  /// once. From now on nobody writes the block.
  /// REQUIRES: has_memory().
  block_lease share() const { return {slot_, arena_, block_}; }

  /// Whether others hold this block's place, too.
  bool shared() const { return slot_.use_count() > 1; }

private:
  std::shared_ptr<block_slot> slot_;
  std::shared_ptr<block_arena> arena_;
  block_ref block_;
};

} // namespace troupe
