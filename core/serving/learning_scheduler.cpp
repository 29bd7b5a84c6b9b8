#include "core/serving/learning_scheduler.hpp"

namespace troupe {

void learning_scheduler::learn(const schedule_view& view) {
  cost_.swapped(view.swapped_bytes, view.swap_ns);
  for (auto& s : view.steps)
    cost_.stepped(s.shape, s.took);
  for (auto& f : view.finished)
    lengths_.finished(f.prompt, f.length);
}

schedule_plan learning_scheduler::plan(schedule_view view) {
  history_.complete(view, cost_);
  for (auto& e : view.entries)
    if (e.remaining == 0)
      e.remaining = lengths_.remaining(e.prompt, e.generated, e.max_tokens);
  return plan_schedule(view, policy_, cost_);
}

} // namespace troupe
