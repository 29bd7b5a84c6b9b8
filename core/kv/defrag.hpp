#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kv/page_table.hpp"

namespace troupe {

/// How sequences and free slots lie in an arena. A page table makes either
/// harmless; what order buys is memory that can be given back, and large
/// copies.
struct kv_fragmentation {
  uint32_t used = 0;   ///< slots taken, by whomever
  uint32_t extent = 0; ///< slots up to the last one taken
  uint32_t blocks = 0; ///< of the tables, with memory in the arena
  uint32_t runs = 0;   ///< into which these fall, neighbours in memory

  /// Share of the extent that is free, in [0, 1).
  double holes() const {
    return extent == 0 ? 0 : 1 - static_cast<double>(used) / extent;
  }
  /// Blocks of a sequence side by side, on average.
  double mean_run() const {
    return runs == 0 ? 0 : static_cast<double>(blocks) / runs;
  }
};

kv_fragmentation fragmentation(std::span<page_table* const> tables,
                               const block_arena& arena);

struct defrag_result {
  uint32_t copies = 0; ///< of a block's bytes; an exchange is two
  /// Nothing is left that more copies would improve; else call again.
  bool done = false;
};

/// Bytes of neighbouring blocks beyond which a longer run gains nothing: no
/// copy is larger than a chunk of a handoff.
inline constexpr size_t defrag_run_bytes = size_t{1} << 20;

/// Moves blocks so that the used slots are the lowest ones, and that each
/// `defrag_run_bytes` of a sequence lie side by side. Copies at most
/// `max_copies` blocks; called again, it goes on where it was, and once done it
/// moves nothing until something changed. Beside the copies it looks at each
/// block of the tables once, and at each slot of the arena for every run that
/// it makes.
/// REQUIRES: max_copies >= 2, since blocks may have to change places.
///
/// Only blocks that nobody else holds move: neither shared with another
/// sequence or an index, nor in a chunk that is under way. Who keeps a pointer
/// to a block rather than a reference must not expect it to stay: the caller
/// calls this between steps.
///
/// Other threads may use the arena meanwhile; the tables are the caller's.
defrag_result compact(std::span<page_table* const> tables, block_arena& arena,
                      uint32_t max_copies);

} // namespace troupe
