#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe::testing {

/// Rules of the nodes that a world breaks, so that a test can show that the
/// checks notice.
enum class model_bug : uint8_t {
  none,
  /// Nodes and the store forget which lives are over.
  no_fence,
  /// A node takes any offer, chunk and acceptance, of whatever epoch.
  any_epoch,
  /// A source frees its blocks once it has sent the commit.
  frees_at_commit,
  /// A source whose commit was never answered goes on itself.
  keeps_after_silence,
  /// Pre-copy takes the block that is still being written along.
  copies_open_block,
  /// The store keeps a sequence that its destination may run.
  store_keeps,
  /// A session does not cancel where its request was.
  no_cancel,
};

/// One schedule: everything else follows from the seed.
struct model_options {
  uint64_t seed = 0;
  bool damage = false; ///< messages are spoilt
  bool kills = false;  ///< nodes and the store die
  model_bug bug = model_bug::none;
  bool trace = false;
};

struct model_outcome {
  /// The first invariant that did not hold; empty: all held, always.
  std::string violation;
  /// What happened, a line an event; only if asked for.
  std::vector<std::string> trace;
  uint32_t messages = 0;
  uint32_t steps = 0; ///< of nodes that generated something
  uint32_t prefilled = 0;
  uint32_t migrated = 0;
  uint32_t stored = 0;
  uint32_t resumed = 0;
  uint32_t recomputed = 0;
  uint32_t compacted = 0; ///< blocks
  uint32_t killed = 0;
  uint32_t placed_again = 0;
  uint32_t cancelled = 0;
  uint32_t finished = 0;
};

/// A world of two or three decode nodes, which compute prompts as well, a KV
/// store and the sessions of a few requests, over links that lose, double,
/// delay, reorder and damage. The rules are those of actors/decode_*.cpp,
/// actors/kv_store*.cpp and actors/session*.cpp; what they are built on, the
/// handoff, the pools, the page tables and the store, is the real thing.
///
/// After every event: blocks in use are those of the sequences and handoffs
/// that are there, each of one sequence; one life of a placement generates; no
/// token comes from KV that is not the sequence's own. In the end: each request
/// has ended once, with all its tokens or by its cancellation, and nothing is
/// in use; what is still under way, or comes once more, changes nothing.
model_outcome run_model(const model_options& opts);

} // namespace troupe::testing
