#include "core/serving/schedule_history.hpp"

#include <algorithm>

namespace troupe {

void schedule_history::complete(schedule_view& view, swap_cost& cost) {
  ++views_;
  auto steps = uint32_t{0};
  for (auto& e : view.entries) {
    auto [i, fresh] = past_.try_emplace(e.seq);
    auto& p = i->second;
    using enum schedule_phase;
    auto ran = p.phase == running;
    auto runs = e.phase == running;
    // The fastest sequence ran in every step.
    if (!fresh && ran && runs && e.generated > p.generated)
      steps = std::max(steps, e.generated - p.generated);
    if (runs && !ran)
      p.resumed_ns = view.now_ns;
    if (ran && !runs)
      ++p.preemptions;
    if (e.phase != moving)
      p.rest = e.phase;
    p.phase = e.phase;
    p.generated = e.generated;
    p.view = views_;
    e.preemptions = p.preemptions;
    e.resumed_ns = p.resumed_ns;
    e.leaving |= e.phase == moving && p.rest == running;
  }
  std::erase_if(past_, [&](auto& x) { return x.second.view != views_; });
  if (view.now_ns > last_ns_)
    cost.decoded(steps, view.now_ns - last_ns_);
  last_ns_ = view.now_ns;
}

} // namespace troupe
