#pragma once

#include <array>
#include <cstdint>
#include <tuple>

#include "core/base/time.hpp"
#include "core/serving/least_squares.hpp"

namespace troupe {

/// What one step of a node computes, as far as its time depends on it.
struct step_shape {
  /// Tokens of prompts.
  uint32_t prefill_tokens = 0;
  /// How many tokens each of them attends to, summed.
  uint64_t prefill_context = 0;
  /// Sequences that decode.
  uint32_t rows = 0;
  /// How many tokens each of them attends to, summed.
  uint64_t decode_context = 0;
  auto fields() {
    return std::tie(prefill_tokens, prefill_context, rows, decode_context);
  }
};

/// Nanoseconds that a step takes by itself, and for each of what it computes.
struct step_cost {
  double base = 3e6;
  double prefill_token = 4e5;
  double prefill_context = 10;
  double row = 4.5e5;
  double decode_context = 50;
};

struct latency_options {
  /// Believed before there is data. The first step seen sets its scale, so its
  /// proportions are what matters. All of it > 0.
  step_cost prior = {};
  /// About how many steps of a kind are remembered.
  uint32_t memory = 100;
  /// The share of steps that take no longer than `at_most` says.
  double coverage = 0.95;
};

/// Predicts how long a step takes, from those that were seen: least squares of
/// relative errors over the counts of a step_shape, with no negative cost, so
/// that predictions are never negative and grow with every count.
///
/// - What is forgotten is what the new step tells anew (Cao and Schwartz, "A
///   directional forgetting algorithm based on the decomposition of the
///   information matrix", Automatica 2000): what no step has told for long, the
///   cost of a prompt while all decode, stays known. Costs that the steps do
///   not tell apart keep the prior's proportions.
/// - A step that comes late by far more than steps do counts as a little late
///   (Huber). When steps keep being late, or early, by more than chance has it
///   (Page, "Continuous inspection schemes", Biometrika 1954), the machine has
///   changed: all costs do in proportion, and new steps outweigh old ones.
class latency_predictor {
public:
  explicit latency_predictor(const latency_options& options = {});

  /// A step of this shape took that long. Empty shapes and times that are not
  /// positive are ignored.
  void record(const step_shape& shape, duration took);

  /// Whether it makes a difference that step `number` of the machine, of this
  /// shape, is recorded. Recording takes a part of a step that is very short;
  /// of such, one in `one_of` will do once `first` are known. It is told by
  /// what is known before: late ones must not count more.
  bool wants(const step_shape& shape, uint64_t number) const;
  static constexpr auto quick = std::chrono::microseconds{50};
  static constexpr uint64_t first = 64;
  static constexpr uint64_t one_of = 8;

  /// Never negative, and no less for a shape that has more of anything.
  duration predict(const step_shape& shape) const;

  /// What `coverage` of the steps stay below. For shapes like those seen: a
  /// step far from them may err by more.
  duration at_most(const step_shape& shape) const;

  /// Steps recorded.
  uint64_t observations() const { return observations_; }

  /// By how much recent steps missed their prediction, on average and but for
  /// accidents.
  duration deviation() const;

  /// Times that the machine's speed is thought to have changed.
  uint64_t changes() const { return changes_; }

  /// The costs as they are believed now.
  step_cost cost() const;

private:
  using vec = feature_vec;

  void rescale(double ratio, double weight);
  void learn(const vec& z, double y);
  void watch_for_change(double ratio, double miss);
  void note_miss(double miss, double limit, double predicted);

  // Costs are kept as multiples of the prior's, so that all are of one size.
  vec prior_;                  ///< ns
  vec cost_;                   ///< ns; >= 0, what `predict` reads
  vec multiple_;               ///< the same, of the prior's
  feature_matrix information_; ///< of `multiple_`, symmetric, positive definite
  ldl_factors factors_;        ///< of the information
  vec evidence_;         ///< information_ x the solution without constraints
  double floor_;         ///< information about each cost, whatever happens
  double kept_;          ///< share of what is known that a step leaves
  double missed_share_;  ///< 1 - coverage
  double margin_ = 0.25; ///< relative; predict x (1 + margin) is at_most
  double relative_ = 0;  ///< mean absolute relative miss
  double absolute_ = 0;  ///< mean absolute miss, ns
  uint64_t observations_ = 0;
  uint64_t changes_ = 0;
  double late_ = 0; ///< cumulative sums of misses, in mean misses
  double early_ = 0;
  std::array<double, 5> ratios_ = {}; ///< the last, of time to prediction
  uint32_t trusting_ = 0; ///< steps to come that are taken as they are
};

} // namespace troupe
