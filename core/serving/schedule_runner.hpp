#pragma once

#include <cstdint>
#include <tuple>

#include "core/serving/preempt_scheduler.hpp"

namespace troupe {

/// What the decisions about all sequences of a view have in common.
struct schedule_context {
  schedule_context(const schedule_view& v, const schedule_policy& p,
                   const swap_cost& c);

  const schedule_view& view;
  const schedule_policy& policy;
  const swap_cost& cost;
  /// Sequences that run, at least 1.
  double sharers = 1;
};

/// A sequence with what the decisions about it need.
struct schedule_runner {
  schedule_runner(const schedule_entry& e, const schedule_context& at);

  const schedule_entry* entry = nullptr;
  bool due = false;
  double work_ns = 0; ///< predicted work until it ends
  double left_ns = 0; ///< predicted time until it ends, if it runs from now on
  double back_ns = 0; ///< to bring it back, if it is preempted
  preempt_way way = preempt_way::recompute;
  int64_t soon = 0;   ///< blocks it will want within `horizon`
  int64_t later = 0;  ///< the same within `admit_horizon`
  uint32_t place = 0; ///< in the order of all
  bool victim = false;

  /// Whoever has the lesser key runs first. No two are equal.
  auto key() const {
    return std::tuple{!due, due ? 0 : int{entry->priority}, due ? 0. : work_ns,
                      entry->arrival_ns, entry->seq};
  }

  /// Whoever has the lesser key gives way first: not due, of a lower class, and
  /// cheap to bring back for the blocks and the time that frees. Of due ones,
  /// the last to have come.
  auto victim_key() const {
    auto frees = (entry->blocks + 1.) * (left_ns + 1);
    return std::tuple{due, due ? -int64_t{place} : 0, -int{entry->priority},
                      (back_ns + 1) / frees, place};
  }
};

} // namespace troupe
