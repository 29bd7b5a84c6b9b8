#pragma once

#include <cstdint>

#include "core/serving/schedule_view.hpp"
#include "core/serving/swap_cost.hpp"

namespace troupe {

struct schedule_policy {
  /// A sequence that came longer ago than this is due.
  int64_t patience_ns = int64_t{60'000'000'000};
  /// Tokens of a block.
  uint32_t block_tokens = 16;
  /// Steps ahead for which running sequences must have blocks: if they are not
  /// there, preemption begins.
  uint32_t horizon = 4;
  /// Steps ahead for which a sequence that comes in must leave blocks to those
  /// that run. More than `horizon`, or those who come in are soon put out.
  uint32_t admit_horizon = 8;
  /// Tokens of running sequences that wait to be prefilled, beyond which no
  /// other prompt comes in, unless it is due: whoever comes in too early takes
  /// blocks for nothing, and the place of a shorter one that may come yet. At
  /// least what is prefilled between two plans.
  uint32_t prefill_backlog = 2048;
  /// Steps that a sequence runs, once it came in, before another may take its
  /// place.
  uint32_t min_run = 32;
  /// After so many preemptions a sequence gives way no more to another's
  /// gain, only to due ones and for want of blocks.
  uint32_t max_preemptions = 4;
  /// What a preemption must gain, in units of what it costs.
  double min_gain = 2;
};

/// Decides who runs: the shortest predicted remaining time first, with
/// preemption (SRPT), in the order
///
///  1. sequences that are *due*, because they came more than `patience_ns` ago,
///     in order of arrival, whatever their class;
///  2. the others by class, and within it by predicted work: tokens to prefill
///     at the measured speed, and tokens to go at the measured pace of a step,
///     which those who run share.
///
/// Nobody is preempted for one that stands behind it in this order, and a due
/// sequence that does not fit yet is not overtaken. Hence a bound: the oldest
/// unfinished due sequence is never preempted and the first to come in, so a
/// sequence that arrives at `a` ends no later than
///
///   a + patience + sum over j of (alone(j) + turn)
///
/// where j runs over the sequence itself and those that came before it and are
/// unfinished at a + patience; alone(j) is the time to compute j from its start
/// at the pace of the fullest step; and `turn` is the time from a view to the
/// end of what its plan begins: the steps in between, and the copying of the
/// pool out and in. This supposes nothing about predictions, later arrivals or
/// classes, only that each sequence fits into the pool by itself and that the
/// node computes the oldest prompt first.
///
/// A victim is chosen by what it frees, in blocks times remaining time, against
/// what it costs to bring it back: twice its copy, or its prefill; the cheaper
/// is the way it goes. For another's gain it is preempted only if the sum of
/// completion times falls by more than `min_gain` times this cost, not within
/// `min_run` steps of its coming in, and at most `max_preemptions` times. For
/// want of blocks `horizon` steps ahead the same victims are preferred, and
/// others taken only if there are no such; the first of the running never is.
///
/// The preemptions and the order of a plan fit: what comes in needs no more
/// blocks than are free or on their way out after it, nor more rows. Blocks for
/// `admit_horizon` steps of growth are left over unless nothing runs.
///
/// A pure function of what it is given.
schedule_plan plan_schedule(const schedule_view& view,
                            const schedule_policy& policy,
                            const swap_cost& cost);

} // namespace troupe
