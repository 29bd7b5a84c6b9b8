#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/kv/handoff.hpp"
#include "core/kv/swap_file.hpp"

namespace troupe {

/// KV of sequences that do not run: in memory, and beyond that in a file. The
/// blocks of whoever was stored longest ago go to the file first. What is
/// stored stays until it is erased, whatever else fails.
class sequence_store {
public:
  struct usage {
    uint32_t sequences = 0;
    uint32_t file_blocks = 0;
    uint32_t file_capacity = 0;
    /// Written to the file so far.
    uint64_t spilled_bytes = 0;
  };

  /// A store without a file holds `memory_blocks` blocks and no more.
  sequence_store(std::shared_ptr<block_arena> arena, uint32_t memory_blocks,
                 std::optional<swap_file> file = std::nullopt);

  /// Where a receiver reserves what is to be stored.
  block_pool& pool() { return pool_; }
  const block_pool& pool() const { return pool_; }

  /// Moves blocks to the file until `blocks` are free in the pool. If that
  /// cannot be, no_free_blocks or io_error, and all that is stored stays.
  result<void> make_room(uint32_t blocks);

  /// Keeps the KV of a sequence, out of pool(). REQUIRES: !contains(seq).
  void put(seq_id seq, page_table table);

  bool contains(seq_id seq) const { return entries_.count(seq) != 0; }

  /// Brings all of a sequence into memory and holds it there until
  /// `unpin(seq)` or `erase(seq)`. no_free_blocks or io_error: it stays stored.
  /// digest_mismatch: the file is damaged, and the sequence is gone.
  /// REQUIRES: contains(seq).
  result<const page_table*> pin(seq_id seq);

  /// The sequence may go to the file again. No effect if it is not stored.
  void unpin(seq_id seq);

  /// Forgets a sequence. No effect if it is not stored.
  void erase(seq_id seq);

  /// Blocks of a sequence that are in the file.
  uint32_t in_file(seq_id seq) const;

  usage used() const;

private:
  struct entry {
    uint64_t order = 0; ///< of storing
    page_table table;   ///< blocks in the file have no lease here
    std::vector<swap_slot> slots;
    uint32_t in_file = 0;
    bool pinned = false;
    uint32_t in_memory() const { return table.blocks() - in_file; }
  };

  void show(seq_id seq, const entry& e);
  void hide(const entry& e);
  std::pair<entry*, uint32_t> oldest();
  void spilled(entry& e, uint32_t i, swap_slot slot);
  result<void> spill_one();
  result<void> load(entry& e, uint32_t block);

  block_pool pool_;
  std::optional<swap_file> file_;
  std::map<seq_id, entry> entries_;
  // By order: entries that are not pinned and have blocks in memory, of which
  // there are `spillable_` in all.
  std::map<uint64_t, seq_id> by_age_;
  uint32_t spillable_ = 0;
  std::vector<std::byte> buffer_; ///< one block on its way from the file
  uint64_t last_ = 0;
  uint64_t spilled_bytes_ = 0;
};

} // namespace troupe
