#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/serving/learning_scheduler.hpp"

namespace troupe {

/// What a preempt scheduler has learnt of its node, and the newest view.
class preempt_scheduler_state {
public:
  static constexpr const char* name = "preempt_scheduler";

  preempt_scheduler_state() = default;

  void init(const schedule_policy& policy) {
    scheduler_ = learning_scheduler{policy};
  }

  /// Learns from what a view measured, whatever its age, and keeps it if it is
  /// the newest. True if nobody has been told yet to make a plan.
  bool see(const schedule_view& view);

  /// For the newest view.
  schedule_plan plan();

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  learning_scheduler scheduler_;
  schedule_view newest_;
  bool told_ = false; ///< to make a plan
};

static_assert(!std::is_aggregate_v<preempt_scheduler_state>);

/// Behaviour of the preempt scheduler of `node`, with which it ends. Plans are
/// made when all views that wait have been seen, so it never falls behind.
preempt_scheduler_actor::behavior_type preempt_scheduler(
    actor_pointer<preempt_scheduler_actor, preempt_scheduler_state> self,
    const schedule_sink& node, const schedule_policy& policy);

} // namespace troupe
