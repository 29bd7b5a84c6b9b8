#pragma once

#include <cstdint>

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

/// What it takes to bring a sequence back, from measured speeds. Until
/// something is measured: 2 GB/s of copying, 2,000 tokens/s of prefill, 20 ms
/// a decode step.
class swap_cost {
public:
  /// `bytes` of KV were copied to or from the store in `ns`.
  void swapped(uint64_t bytes, int64_t ns);
  /// `tokens` were prefilled in `ns`.
  void prefilled(uint64_t tokens, int64_t ns);
  /// `steps` tokens of one sequence took `ns`.
  void decoded(uint64_t steps, int64_t ns);

  // Predictions, in nanoseconds.

  double copy_ns(uint64_t bytes) const {
    return static_cast<double>(bytes) * copy_.ns_per_unit();
  }
  double prefill_ns(uint64_t tokens) const {
    return static_cast<double>(tokens) * prefill_.ns_per_unit();
  }
  double decode_ns(uint64_t steps) const {
    return static_cast<double>(steps) * decode_.ns_per_unit();
  }

private:
  measured_speed copy_{0.5, 1 << 28};      // 256 MiB
  measured_speed prefill_{500'000, 4096};  // tokens
  measured_speed decode_{20'000'000, 256}; // steps
};

} // namespace troupe
