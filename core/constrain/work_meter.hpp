#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::constrain {

/// What compiling one grammar may cost. Steps are counted where time goes, not
/// measured, since core has no clock; 100 ns each are a generous estimate.
struct compile_limits {
  uint64_t steps = 1'800'000;
  size_t bytes = size_t{64} << 20;
};

/// Counts down what compiling may still cost.
class work_meter {
public:
  explicit work_meter(const compile_limits& limits = {})
      : steps_(limits.steps), bytes_(limits.bytes) {}

  /// Whether that much was left. Once it was not, nothing is.
  bool spend(uint64_t steps, size_t bytes = 0) {
    if (steps > steps_ || bytes > bytes_)
      spent_ = true;
    if (spent_)
      return false;
    steps_ -= steps;
    bytes_ -= bytes;
    return true;
  }

  bool spent() const { return spent_; }
  uint64_t steps_left() const { return spent_ ? 0 : steps_; }

private:
  uint64_t steps_;
  size_t bytes_;
  bool spent_ = false;
};

} // namespace troupe::constrain
