#include "core/serving/swap_cost.hpp"

#include <cmath>

namespace troupe {

measured_speed::measured_speed(double prior, double window)
    : window_(window), units_(window / 4), ns_(prior * units_) {}

void measured_speed::add(double units, double ns) {
  if (!(units > 0) || !(ns > 0))
    return;
  // By the amount of work, so that many small reports weigh as one large one.
  auto keep = std::exp(-units / window_);
  units_ = units_ * keep + units;
  ns_ = ns_ * keep + ns;
}

void swap_cost::swapped(uint64_t bytes, int64_t ns) {
  copy_.add(static_cast<double>(bytes), static_cast<double>(ns));
}

void swap_cost::stepped(const step_shape& shape, int64_t ns) {
  predictor_.record(shape, duration{ns});
  step_ = predictor_.cost();
}

void swap_cost::decoded(uint64_t steps, int64_t ns) {
  decode_.add(static_cast<double>(steps), static_cast<double>(ns));
}

} // namespace troupe
