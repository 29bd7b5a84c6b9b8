#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/ids.hpp"

namespace troupe {

/// One sequence's share of a step, as the ranks other than 0 are told of it.
struct rank_row {
  /// The sequence's KV blocks so far and those that the step writes, by the
  /// numbers that rank 0 gave them.
  std::vector<uint32_t> blocks;
  uint32_t length = 0; ///< tokens before the step
  std::vector<token_id> tokens;
  bool want_logits = true;
  bool want_all_logits = false;
  bool want_states = false;

  auto fields() {
    return std::tie(blocks, length, tokens, want_logits, want_all_logits,
                    want_states);
  }
};

/// A KV block that a rank is to have, in place of what had its number before.
struct rank_block {
  uint32_t number = 0;
  /// Of the rank's own heads; empty: nothing was written yet.
  raw_bytes bytes;
};

/// What rank 0 wants done; the calls of its own engine, one for one.
struct rank_command {
  uint64_t number = 0;             ///< from 0, without a gap
  std::vector<uint32_t> forgotten; ///< numbers of blocks that are gone
  std::vector<rank_block> blocks;
  bool begins = false; ///< a step of these rows
  std::vector<rank_row> rows;
  uint32_t layers = 0; ///< to compute then
  bool finishes = false;

  size_t kv_bytes() const {
    auto n = size_t{0};
    for (auto& b : blocks)
      n += b.bytes.size();
    return n;
  }
};

} // namespace troupe
