#include "core/serving/schedule_runner.hpp"

#include <algorithm>
#include <cstddef>

namespace troupe {

schedule_context::schedule_context(const schedule_view& v,
                                   const schedule_policy& p, const swap_cost& c)
    : view(v), policy(p), cost(c) {
  auto running = std::count_if(v.entries.begin(), v.entries.end(), [](auto& e) {
    return e.phase == schedule_phase::running;
  });
  sharers = static_cast<double>(std::max(running, ptrdiff_t{1}));
}

schedule_runner::schedule_runner(const schedule_entry& e,
                                 const schedule_context& at)
    : entry(&e) {
  // As doubles: a difference of hostile times may overflow.
  auto age =
      static_cast<double>(at.view.now_ns) - static_cast<double>(e.arrival_ns);
  due = age > static_cast<double>(at.policy.patience_ns);

  auto most = e.max_tokens > e.generated ? e.max_tokens - e.generated : 1;
  auto left = e.remaining > 0 ? std::min(e.remaining, most) : most;
  auto copy_ns = [&](uint64_t blocks) {
    return at.cost.copy_ns(blocks * at.view.block_bytes);
  };
  auto prefill_ns = at.cost.prefill_ns(e.tokens_to_compute);
  auto start_ns = 0.;
  if (e.phase == schedule_phase::waiting)
    start_ns = prefill_ns;
  else if (e.phase == schedule_phase::swapped)
    start_ns = copy_ns(e.blocks_to_start);
  left_ns = start_ns + at.cost.decode_ns(left);
  // Those who decode share their steps; a prompt takes them to itself.
  work_ns = start_ns + at.cost.decode_ns(left) / at.sharers;

  // There and back.
  auto swap_ns = 2 * copy_ns(e.blocks);
  auto swap = at.view.store && swap_ns <= prefill_ns;
  way = swap ? preempt_way::swap : preempt_way::recompute;
  back_ns = swap ? swap_ns : prefill_ns;

  auto size = std::max(at.policy.block_tokens, 1u);
  auto here = int64_t{std::max(e.blocks, e.blocks_to_start)};
  auto growth = [&](uint64_t steps) {
    auto tokens = uint64_t{e.prompt} + e.generated + steps;
    auto blocks = static_cast<int64_t>((tokens + size - 1) / size);
    return std::max(int64_t{0}, blocks - here);
  };
  soon = growth(std::min(at.policy.horizon, most));
  later = growth(std::min(at.policy.admit_horizon, left));
}

} // namespace troupe
