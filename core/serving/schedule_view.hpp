#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/serving/latency_predictor.hpp"

namespace troupe {

// What a node tells its preempt scheduler, and what it is told.

enum class schedule_phase : uint8_t {
  /// Has no KV.
  waiting,
  /// Holds blocks here: prefills or decodes.
  running,
  /// Its KV is in the store.
  swapped,
  /// On its way out or in; left alone.
  moving,
};

/// How a sequence gives its blocks up.
enum class preempt_way : uint8_t {
  /// Its KV goes to the store.
  swap,
  /// Its KV is dropped, and computed again from its tokens.
  recompute,
};

/// One sequence of a node.
struct schedule_entry {
  seq_id seq = 0;
  /// 0 is the most urgent class.
  uint8_t priority = 0;
  schedule_phase phase = schedule_phase::waiting;
  int64_t arrival_ns = 0;
  /// Tokens.
  uint32_t prompt = 0;
  uint32_t generated = 0;
  uint32_t max_tokens = 0;
  /// Held here.
  uint32_t blocks = 0;
  /// Needed to start or resume.
  uint32_t blocks_to_start = 0;
  /// Tokens to prefill if it is preempted by recompute, or (waiting) to start.
  uint32_t tokens_to_compute = 0;
  /// While moving: outwards, so that its blocks will come free.
  bool leaving = false;
  /// While running: its tokens are still being computed.
  bool prefilling = false;

  // Filled in on the scheduler's side, by a length_predictor and a
  // schedule_history; a node leaves them as they are.

  /// Predicted tokens to go. 0: unknown, taken for the most there can be.
  uint32_t remaining = 0;
  /// How often it was preempted.
  uint32_t preemptions = 0;
  /// When it last came in.
  int64_t resumed_ns = 0;

  auto fields() {
    return std::tie(seq, priority, phase, arrival_ns, prompt, generated,
                    max_tokens, blocks, blocks_to_start, tokens_to_compute,
                    remaining, preemptions, resumed_ns, leaving, prefilling);
  }
};

/// A sequence that ended by itself: what the predictor of lengths learns from.
struct finished_length {
  uint32_t prompt = 0;
  uint32_t length = 0;
  auto fields() { return std::tie(prompt, length); }
};

/// A step, and how long it took: what the predictor of latencies learns from.
struct step_sample {
  step_shape shape;
  int64_t took = 0; ///< ns
  auto fields() { return std::tie(shape, took); }
};

/// A node between two steps.
struct schedule_view {
  /// Grows with every view of a node.
  uint64_t number = 0;
  int64_t now_ns = 0;
  /// Blocks of the pool.
  uint32_t capacity = 0;
  uint32_t free_blocks = 0;
  /// Sequences that can hold blocks at a time.
  uint32_t max_rows = 0;
  uint64_t block_bytes = 0;
  /// Whether there is a store to swap to.
  bool store = false;
  std::vector<schedule_entry> entries;

  // Since the view before; 0 if there was nothing.

  /// The last ones, `max_finished` at most.
  std::vector<finished_length> finished;
  uint64_t swapped_bytes = 0;
  int64_t swap_ns = 0;
  /// `max_steps` at most; others are left out.
  std::vector<step_sample> steps;

  auto fields() {
    return std::tie(number, now_ns, capacity, free_blocks, max_rows,
                    block_bytes, store, entries, finished, swapped_bytes,
                    swap_ns, steps);
  }

  static constexpr size_t max_steps = 64;
  static constexpr size_t max_finished = 256;

  /// One more has finished. Views may be far between.
  void add_finished(finished_length f) {
    if (finished.size() == max_finished)
      finished.erase(finished.begin());
    finished.push_back(f);
  }
};

struct preemption {
  seq_id seq = 0;
  preempt_way way = preempt_way::swap;
  auto fields() { return std::tie(seq, way); }
};

/// What a node shall do. It checks every item against what has become of the
/// sequence since the view, so an old plan does no harm.
struct schedule_plan {
  /// Of the view.
  uint64_t number = 0;
  /// Running sequences that give their blocks up.
  std::vector<preemption> preempt;
  /// Waiting and swapped sequences that come in next, first first, as blocks
  /// come free; one that does not fit yet is not overtaken by those behind it.
  std::vector<seq_id> order;
  auto fields() { return std::tie(number, preempt, order); }
};

} // namespace troupe
