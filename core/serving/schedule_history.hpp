#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "core/serving/schedule_view.hpp"
#include "core/serving/swap_cost.hpp"

namespace troupe {

/// What one view of a node does not tell: how often a sequence was preempted,
/// when it came in, which way it moves, and how fast sequences decode.
/// Forgets sequences that are no longer in the views.
class schedule_history {
public:
  /// Fills in the entries' `preemptions` and `resumed_ns`, and `leaving` where
  /// a node does not say it; reports the decode speed since the view before to
  /// `cost`. Views come in order; some may be left out.
  void complete(schedule_view& view, swap_cost& cost);

  /// Sequences of the last view.
  size_t size() const { return past_.size(); }

private:
  struct past {
    schedule_phase phase = schedule_phase::waiting;
    /// Before it began to move: the last other phase.
    schedule_phase rest = schedule_phase::waiting;
    uint32_t generated = 0;
    uint32_t preemptions = 0;
    int64_t resumed_ns = 0;
    uint64_t view = 0;
  };

  int64_t last_ns_ = 0;
  uint64_t views_ = 0;
  std::unordered_map<seq_id, past> past_;
};

} // namespace troupe
