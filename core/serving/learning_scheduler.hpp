#pragma once

#include "core/serving/length_predictor.hpp"
#include "core/serving/preempt_scheduler.hpp"
#include "core/serving/schedule_history.hpp"

namespace troupe {

/// The preempt scheduler of one node with all it has learnt of it: how long
/// answers get, what copies and steps cost, who ran when.
class learning_scheduler {
public:
  learning_scheduler() = default;
  explicit learning_scheduler(const schedule_policy& policy)
      : policy_(policy) {}

  /// Learns from what a view measured, whatever its age.
  void learn(const schedule_view& view);

  /// For the newest view. Where an entry says what remains, that is believed.
  schedule_plan plan(schedule_view view);

private:
  schedule_policy policy_;
  swap_cost cost_;
  schedule_history history_;
  length_predictor lengths_;
};

} // namespace troupe
