#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/kv/layout.hpp"

namespace troupe {

/// One block's bytes. Freed to its arena with its last reference; whoever
/// holds a reference may read it, only the sequence's current owner writes.
using block_ref = std::shared_ptr<std::byte>;

/// One bit a slot.
using slot_bits = std::vector<uint64_t>;

/// The memory of KV blocks: slots of one size in large contiguous slabs,
/// recycled for ever, the lowest free one first. Shared by all pools of a
/// process, so that a block can move between nodes by reference. Thread-safe.
///
/// A slab is reserved as a whole and backed by the system page by page when it
/// is written; `trim` gives the pages of free slots back.
class block_arena : public std::enable_shared_from_this<block_arena> {
public:
  static constexpr size_t slab_bytes = size_t{32} << 20;
  static constexpr size_t alignment = 64;

  explicit block_arena(const kv_layout& layout);
  block_arena(const block_arena&) = delete;
  block_arena& operator=(const block_arena&) = delete;
  ~block_arena();

  const kv_layout& layout() const { return layout_; }

  /// Somebody will want `blocks` blocks more: what the first slab is sized by,
  /// not a limit.
  void expect(uint32_t blocks);

  /// The lowest free block, zeroed. Throws std::bad_alloc if the system has no
  /// memory for another slab.
  block_ref allocate();

  /// The block of `slot`, or null if it is not free. Its bytes are anything:
  /// the caller overwrites all of them before anybody else sees it.
  block_ref claim(uint32_t slot);

  /// Where a block lies; nothing if it is not of this arena.
  std::optional<uint32_t> slot_of(const block_ref& block) const;

  /// Slots s and s + 1 are neighbours in memory unless s + 1 begins a slab.
  /// REQUIRES: a block was allocated before.
  bool begins_slab(uint32_t slot) const { return slot % slab_slots_ == 0; }

  /// Which slots are taken: of all slots there are, whose number is a multiple
  /// of 64.
  slot_bits taken() const;

  /// Gives pages of free slots back to the system until `max_bytes` of them are
  /// given or none is left; may exceed it by less than a slot and two pages.
  /// The `spare` lowest free slots keep theirs. Returns how many bytes had been
  /// in use, at most.
  size_t trim(uint32_t spare, size_t max_bytes);

private:
  struct slot_return {
    void operator()(std::byte*) const { arena->free(slot); }
    std::shared_ptr<block_arena> arena;
    uint32_t slot;
  };
  /// Free slots side by side, taken while their pages are given back.
  struct run {
    uint32_t first = 0;
    uint32_t slots = 0;
    uint32_t dirty = 0;
    std::byte* begin = nullptr;
    size_t bytes = 0; ///< to the end of the last slot, or of the slab
  };

  void add_slab();
  std::byte* at(uint32_t slot) const;
  void mark_taken(uint32_t slot);
  void mark_free(uint32_t slot);
  void free(uint32_t slot);
  block_ref refer(uint32_t slot, std::byte* p);
  uint32_t after_spare(uint32_t spare) const;
  run next_free_run(uint32_t& cursor, size_t slots) const;
  size_t give_pages(const run& r);

  kv_layout layout_;
  size_t stride_; ///< bytes from slot to slot
  size_t page_;
  mutable std::mutex mutex_;
  // All of the below: under the mutex.
  uint64_t expected_ = 0;
  uint32_t slab_slots_ = 0; ///< a multiple of 64; 0: no slab yet
  std::vector<std::byte*> slabs_;
  slot_bits free_;    ///< [slabs * slab_slots]
  slot_bits dirty_;   ///< may hold bytes other than zero
  size_t lowest_ = 0; ///< no word of free_ before this one has a bit
};

std::shared_ptr<block_arena> make_block_arena(const kv_layout& layout);

} // namespace troupe
