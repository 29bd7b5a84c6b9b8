#include "actors/preempt_scheduler.hpp"

#include <caf/all.hpp>

#include <utility>

#include "actors/births.hpp"

namespace troupe {

bool preempt_scheduler_state::see(const schedule_view& view) {
  scheduler_.learn(view);
  if (view.number < newest_.number)
    return false;
  newest_ = view;
  return !std::exchange(told_, true);
}

schedule_plan preempt_scheduler_state::plan() {
  told_ = false;
  return scheduler_.plan(newest_);
}

preempt_scheduler_actor::behavior_type preempt_scheduler(
    actor_pointer<preempt_scheduler_actor, preempt_scheduler_state> self,
    const schedule_sink& node, const schedule_policy& policy) {
  self->born_with([&] { return birth_of(node, policy); });
  self->state.init(policy);
  // By address: node and scheduler know each other, and must not keep each
  // other alive.
  auto to = caf::actor_cast<caf::actor_addr>(node);
  self->monitor(node);
  self->set_down_handler([=](const caf::down_msg& m) {
    if (m.source == to)
      self->quit();
  });
  return {
      [self](const schedule_view& m) {
        // Views that arrived before this note is handled are seen before.
        if (self->state.see(m))
          self->send(self, step_tick{m.number});
      },
      [self, to](const step_tick&) {
        if (auto node = caf::actor_cast<schedule_sink>(to))
          self->send(node, self->state.plan());
      },
  };
}

} // namespace troupe
