#include "core/serving/step_plan.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

namespace {

uint32_t granule(const step_limits& l) {
  return std::max(l.granularity, 1u);
}

// What decoding rows leave of a budget, in whole granules, at least one.
uint32_t left_of(uint32_t budget, uint32_t rows, uint32_t granule) {
  auto left = budget - std::min(budget, rows);
  return std::max(left / granule, 1u) * granule;
}

} // namespace

uint32_t step_limits::most_tokens() const {
  auto rows_at_most = std::max(rows, 1u);
  // With rows: a granule beyond the budget where rows alone use it up.
  auto beside = std::max(tokens_beside_rows, rows_at_most + granule(*this));
  return std::max({tokens, granule(*this), beside});
}

step_plan::step_plan(const step_limits& limits, uint32_t decoding)
    : granularity_(granule(limits)),
      rows_(std::min(decoding, std::max(limits.rows, 1u))),
      room_(left_of(rows_ > 0 ? limits.tokens_beside_rows : limits.tokens,
                    rows_, granularity_)) {}

uint32_t step_plan::add_prompt(uint32_t left) {
  assert(has_room() && left > 0);
  auto n = std::min(left, room_);
  // A remainder that fits no granule would end the next chunk inside one.
  room_ = (room_ - n) / granularity_ * granularity_;
  return n;
}

} // namespace troupe
