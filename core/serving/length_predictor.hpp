#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// How answers that finished were long, the newer the more, so that sums over
/// the longer ones are there in O(log bins).
class length_histogram {
public:
  /// Sequences, by weight, and their tokens.
  struct sums {
    double sequences = 0;
    double tokens = 0;
  };

  void add(uint32_t length, double weight);
  /// Of all longer than `length`. Within a bin lengths count as evenly spread.
  sums longer_than(uint32_t length) const;
  void scale(double by);

private:
  // One length a bin below 16, then eight bins an octave.
  static constexpr size_t bins = 16 + 8 * 28;
  static size_t bin_of(uint32_t length);
  static uint64_t first_of(size_t bin);

  // A Fenwick tree over the bins, the longest first.
  std::array<sums, bins + 1> tree_ = {};
  std::array<double, bins> single_ = {}; ///< sequences of each bin
};

/// Predicts how many tokens a sequence will still generate: the mean of those
/// that finished and were longer than it is now. Sequences of prompts of about
/// the same length count most; while there are few of those, all others, too.
class length_predictor {
public:
  /// About `memory` finished sequences are remembered.
  explicit length_predictor(uint32_t memory = 1000);

  /// A sequence ended by itself or at its limit. Not for those cancelled.
  void finished(uint32_t prompt, uint32_t length);

  /// Tokens to come for a sequence that has generated `generated`, in [1,
  /// max_tokens - generated]; 1 if there is nothing left. Where nothing is
  /// known every length up to the limit is as likely, so it is half of what is
  /// left: limits are set by habit, and to believe them would put whoever sets
  /// none behind everybody.
  uint32_t remaining(uint32_t prompt, uint32_t generated,
                     uint32_t max_tokens) const;

  /// Sequences finished so far.
  uint64_t observations() const { return observations_; }

private:
  static constexpr size_t classes = 12; ///< of prompts, one an octave
  static size_t class_of(uint32_t prompt);

  length_histogram all_;
  std::array<length_histogram, classes> by_prompt_;
  double growth_;     ///< of the weight, instead of decay of all the others
  double weight_ = 1; ///< of the next sequence
  uint64_t observations_ = 0;
};

} // namespace troupe
