#pragma once

#include <memory>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/engine/rank_command.hpp"
#include "core/kv/block_pool.hpp"

namespace troupe {

/// One of the ranks other than 0: an engine that does what rank 0 tells it, and
/// the KV of its own heads. Knows nothing of sequences.
class rank_follower {
public:
  /// `options`: with this rank's collective.
  rank_follower(std::shared_ptr<const model> weights, engine_options options,
                kv_dtype kv);

  /// Does what a command says; waits for the other ranks meanwhile. An error
  /// ends the group: invalid_argument for what no rank 0 says, or that of the
  /// rank that was lost.
  result<void> on(const rank_command& c);

  /// Blocks that are kept.
  uint32_t blocks() const { return pool_.in_use(); }

  /// Numbers of blocks are below that.
  static constexpr uint32_t max_blocks = uint32_t{1} << 22;

private:
  result<void> place(const rank_block& b);
  result<void> begin(const std::vector<rank_row>& rows);

  engine engine_;
  uint32_t layers_; ///< of the model
  std::shared_ptr<block_arena> arena_;
  block_pool pool_;
  std::vector<block_lease> blocks_; ///< by number
  uint64_t next_ = 0;               ///< number of the next command
  std::vector<page_table> tables_;  ///< of the step under way
  std::vector<rank_row> rows_;
  uint32_t left_ = 0; ///< layers of it
  bool under_way_ = false;
};

} // namespace troupe
