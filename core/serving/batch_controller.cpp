#include "core/serving/batch_controller.hpp"

#include <algorithm>
#include <cmath>

namespace troupe {

namespace {

/// Weight of one step in the means of positions and contexts.
constexpr auto newest = 1. / 8;

/// The largest k in [1, most] for which `fits` holds, which holds up to some k;
/// 1 if for none.
template <class Fits>
uint32_t largest(uint32_t most, Fits fits) {
  auto low = 1u;
  auto high = std::max(most, 1u);
  while (low < high) {
    auto middle = low + (high - low + 1) / 2;
    if (fits(middle))
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

// What may be tried when `seen` is the most that was.
uint32_t reach(uint32_t seen, uint32_t unit) {
  return (seen + seen / 2) / unit * unit + unit;
}

constexpr auto largest_number = 9e18; // that all 64-bit integers hold

// What was seen may be exceeded by one unit even where that is predicted to
// take too long: or a wrong belief would never be put right.
uint32_t explored(uint32_t target, uint32_t seen, uint32_t unit) {
  auto next = seen / unit * unit + unit;
  return target + unit >= next ? std::max(target, next) : target;
}

duration stretched(duration d, double by) {
  auto ns = static_cast<double>(d.count()) * by;
  return duration{static_cast<int64_t>(std::min(ns, largest_number))};
}

batch_controller_options checked(batch_controller_options o) {
  o.granularity = std::max(o.granularity, 1u);
  o.most.rows = std::clamp(o.most.rows, 1u, 1u << 20);
  o.most.prefill_tokens =
      std::clamp(o.most.prefill_tokens, o.granularity, 1u << 24);
  o.stretch = std::clamp(o.stretch, 1., 1000.);
  o.slo.ttft = std::max(o.slo.ttft, duration{0});
  o.slo.tpot = std::max(o.slo.tpot, duration{0});
  return o;
}

} // namespace

void damped_limit::follow(uint32_t target, uint32_t reach) {
  auto goal = std::max(std::min(target, reach) / unit_ * unit_, unit_);
  if (goal + value_ / 16 < value_) {
    patience_ = rose_ ? std::min(2 * patience_, most_patience) : patience_;
    rose_ = false;
    value_ = goal;
    higher_ = 0;
  } else if (goal <= value_) {
    higher_ = 0;
  } else if (target >= reach + reach / 4) { // not time holds the limit back
    value_ = goal;
    higher_ = 0;
  } else if (++higher_ >= patience_for(goal)) {
    patience_ = rose_ ? least_patience : patience_;
    rose_ = true;
    value_ += std::max(value_ / 4 / unit_ * unit_, unit_);
    value_ = std::min(value_, goal);
    higher_ = 0;
  }
}

uint32_t damped_limit::patience_for(uint32_t goal) const {
  if (goal > value_ + value_ / 2 + unit_)
    return least_patience;
  return goal >= value_ + value_ / 8 ? patience_ : most_patience;
}

batch_controller::batch_controller(const batch_controller_options& o)
    : options_(checked(o)), predictor_(o.latency), rows_(1),
      tokens_(options_.granularity), late_tokens_(options_.granularity) {}

void batch_controller::record(const step_shape& s, duration took) {
  predictor_.record(s, took);
  seen_rows_ = std::max(seen_rows_, s.rows);
  seen_tokens_ = std::max(seen_tokens_, s.prefill_tokens);
  if (s.prefill_tokens > 0) {
    auto n = static_cast<double>(s.prefill_tokens);
    auto at = static_cast<double>(s.prefill_context) / n - n / 2;
    position_ += newest * (std::max(at, 0.) - position_);
  }
  if (s.rows > 0) {
    auto each = static_cast<double>(s.decode_context) / s.rows;
    row_context_ += (row_context_ > 0 ? newest : 1) * (each - row_context_);
  }
}

step_shape batch_controller::shape(uint32_t chunk, uint32_t rows,
                                   uint64_t context) const {
  auto n = static_cast<double>(chunk);
  auto attended = std::min(n * (position_ + n / 2), largest_number);
  return {chunk, static_cast<uint64_t>(attended), rows, context};
}

uint32_t batch_controller::most_rows(uint64_t row_context) const {
  auto chunk = seen_tokens_ > 0 ? options_.granularity : 0;
  auto fitting = largest(options_.most.rows, [&](uint32_t r) {
    auto s = shape(chunk, r, r * row_context);
    return predictor_.at_most(s) <= options_.slo.tpot;
  });
  return std::min(explored(fitting, seen_rows_, 1), options_.most.rows);
}

uint32_t batch_controller::most_tokens(uint32_t rows, uint64_t context,
                                       duration budget) const {
  auto unit = options_.granularity;
  auto most = options_.most.prefill_tokens / unit;
  auto fitting = largest(most, [&](uint32_t k) {
    return predictor_.at_most(shape(k * unit, rows, context)) <= budget;
  });
  auto target = explored(fitting * unit, seen_tokens_, unit);
  return std::min(target, most * unit);
}

bool batch_controller::would_be_late(const batch_demand& d,
                                     const step_shape& step) const {
  auto left = d.oldest_tokens > 0 ? d.oldest_tokens : d.waiting_tokens;
  if (left == 0)
    return false;
  auto steps = std::ceil(static_cast<double>(left) / step.prefill_tokens);
  auto takes = stretched(predictor_.predict(step), steps);
  // Who is late already stays so until there is something to spare.
  auto allowed = stretched(options_.slo.ttft, late_ ? 0.75 : 1);
  return takes > allowed - std::clamp(d.oldest_wait, duration{0}, allowed);
}

batch_limits batch_controller::next(const batch_demand& d) {
  auto each = d.decoding > 0 ? d.decode_context / d.decoding
                             : static_cast<uint64_t>(row_context_);
  each = std::min(each, uint64_t{1} << 40);
  rows_.follow(most_rows(each), reach(seen_rows_, 1));
  auto rows = std::min(d.decoding, rows_.value());
  auto context = rows * each;
  if (rows > 0) { // without, nobody waits for a chunk: no reason to change it
    auto unit = options_.granularity;
    auto far = reach(seen_tokens_, unit);
    auto budget = options_.slo.tpot;
    tokens_.follow(most_tokens(rows, context, budget), far);
    budget = stretched(budget, options_.stretch);
    late_tokens_.follow(most_tokens(rows, context, budget), far);
  }
  late_ = rows > 0 && would_be_late(d, shape(tokens_.value(), rows, context));
  auto tokens = tokens_.value();
  if (late_)
    tokens = std::max(tokens, late_tokens_.value());
  return {rows_.value(), tokens};
}

} // namespace troupe
