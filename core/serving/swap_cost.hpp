#pragma once

#include <cstdint>

#include "core/serving/latency_predictor.hpp"

namespace troupe {

/// Nanoseconds per unit of work: a decayed mean that starts from a prior and
/// forgets what lies more than `window` units of work back.
class measured_speed {
public:
  /// `prior` in nanoseconds per unit, worth a quarter of `window` units.
  measured_speed(double prior, double window);

  /// `units` took `ns`. Ignored if either is not positive.
  void add(double units, double ns);

  double ns_per_unit() const { return ns_ / units_; }

private:
  double window_;
  double units_; ///< decayed
  double ns_;    ///< decayed
};

/// What it takes to bring a sequence back, from measured speeds and predicted
/// steps. Until something is measured: 2 GB/s of copying, 20 ms a decode step,
/// and the latency_predictor's prior for tokens of prompts.
class swap_cost {
public:
  /// `bytes` of KV were copied to or from the store in `ns`.
  void swapped(uint64_t bytes, int64_t ns);
  /// A step of this shape took `ns`.
  void stepped(const step_shape& shape, int64_t ns);
  /// `steps` tokens of one sequence took `ns`.
  void decoded(uint64_t steps, int64_t ns);

  // Predictions, in nanoseconds.

  double copy_ns(uint64_t bytes) const {
    return static_cast<double>(bytes) * copy_.ns_per_unit();
  }
  /// Of a prompt from its start, beside what runs anyway.
  double prefill_ns(uint64_t tokens) const {
    auto n = static_cast<double>(tokens);
    return n * step_.prefill_token + n * (n + 1) / 2 * step_.prefill_context;
  }
  double decode_ns(uint64_t steps) const {
    return static_cast<double>(steps) * decode_.ns_per_unit();
  }

private:
  measured_speed copy_{0.5, 1 << 28};      // 256 MiB
  measured_speed decode_{20'000'000, 256}; // steps
  latency_predictor predictor_;
  step_cost step_ = predictor_.cost();
};

} // namespace troupe
