#pragma once

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/engine/batch.hpp"
#include "core/engine/rank_command.hpp"
#include "core/kv/layout.hpp"
#include "core/parallel/partition.hpp"

namespace troupe {

/// Rank 0's side of a group whose other ranks do what they are told: makes
/// commands of its engine's calls, and sends KV that the others lack ahead of
/// them. Nobody else needs to tell it what became of KV: a block is known by
/// its memory and by who holds that, and what is another's was never sent. A
/// block that was filled by others than its engine is sent when a step needs
/// it, to each rank the bytes of its heads.
class rank_leader {
public:
  using send = std::function<void(uint32_t rank, rank_command)>;

  /// `whole`: of rank 0's blocks; `heads`: [ranks], what each keeps of them.
  /// `to` is called by the engine's thread and must not block.
  rank_leader(const kv_layout& whole, std::vector<part> heads, send to);

  // The engine's calls, each before the engine's own part of it.

  /// `layers` to compute at once, and whether that is the whole step.
  void begin(std::span<const batch_row> rows, uint32_t layers, bool finishes);
  void advance(uint32_t layers);
  void finish();

  /// The step is over, and its rows were written.
  void finished();

  /// KV bytes that were sent so far, to all ranks together.
  uint64_t kv_bytes_sent() const { return kv_bytes_sent_; }
  /// Blocks that the others have a number of.
  size_t known_blocks() const { return known_.size(); }

  /// Bytes of KV in a command at most, but for a single block's.
  static constexpr size_t max_kv_bytes = size_t{1} << 20;
  /// Steps between two looks for blocks that nobody holds any more.
  static constexpr uint64_t sweep_every = 64;

private:
  struct known {
    std::weak_ptr<std::byte> block;
    uint32_t number = 0;
    uint32_t tokens = 0; ///< of it that the others have
  };
  struct written {
    const std::byte* block = nullptr;
    uint32_t tokens = 0;
  };
  /// Of one rank: what it has yet to be sent.
  struct outgoing {
    std::vector<rank_block> blocks;
    size_t bytes = 0;
  };

  uint32_t number_of(const block_lease& lease, uint32_t tokens);
  void add(const block_lease& lease, uint32_t number, bool written);
  raw_bytes bytes_of(const std::byte* block, part heads) const;
  void sweep();
  void flush(uint32_t rank);
  void tell_all(const rank_command& c);
  void tell(uint32_t rank, rank_command c);

  kv_layout whole_;
  std::vector<part> heads_;
  send send_;
  std::unordered_map<const std::byte*, known> known_;
  std::vector<uint32_t> free_;
  uint32_t numbers_ = 0;
  size_t swept_ = 0; ///< blocks that were known after the last sweep
  std::vector<written> written_;
  std::vector<outgoing> outgoing_; ///< [ranks]
  std::vector<uint64_t> commands_; ///< [ranks]
  uint64_t steps_ = 0;
  uint64_t kv_bytes_sent_ = 0;
};

} // namespace troupe
