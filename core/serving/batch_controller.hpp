#pragma once

#include <cstdint>
#include <tuple>

#include "core/base/time.hpp"
#include "core/serving/latency_predictor.hpp"

namespace troupe {

/// What a node is to keep to: time to first token, time per output token.
struct batch_slo {
  duration ttft = std::chrono::seconds{2};
  duration tpot = std::chrono::milliseconds{100};
};

/// What waits at a node before a step.
struct batch_demand {
  /// Sequences that decode, and the tokens they attend to, summed.
  uint32_t decoding = 0;
  uint64_t decode_context = 0;
  /// Tokens of prompts to compute, all together.
  uint32_t waiting_tokens = 0;
  /// Since the oldest of these prompts came.
  duration oldest_wait = {};
  /// What is left of the oldest; 0: not known, so as much as of all.
  uint32_t oldest_tokens = 0;
  auto fields() {
    return std::tie(decoding, decode_context, waiting_tokens, oldest_wait,
                    oldest_tokens);
  }
};

/// How much one step may do.
struct batch_limits {
  /// Sequences that decode in one step, so that many should be admitted.
  uint32_t rows = 1;
  /// Tokens of prompts beside them.
  uint32_t prefill_tokens = 16;
  bool operator==(const batch_limits&) const = default;
  auto fields() { return std::tie(rows, prefill_tokens); }
};

/// A step as it was, and what waits after it: from a node to its controller.
struct step_report {
  step_shape shape;
  int64_t took = 0; ///< ns
  batch_demand demand;
  auto fields() { return std::tie(shape, took, demand); }
};

struct batch_controller_options {
  batch_slo slo = {};
  /// Never more than that: what memory and buffers are made for.
  batch_limits most = {64, 256};
  /// Chunks of prompts are multiples of this, and never less.
  uint32_t granularity = 16;
  /// A step may take so many times the TPOT while a first token is late.
  double stretch = 2;
  latency_options latency = {};
};

/// A limit that follows a target without following its noise. It falls at once,
/// if by more than a sixteenth, and rises by a quarter at most when the target
/// was higher for some times on end: 3, and twice as many, up to 48, whenever a
/// fall follows a rise. 48 for a rise of less than an eighth, 3 for a half.
class damped_limit {
public:
  /// Values are multiples of `unit`, at least one.
  explicit damped_limit(uint32_t unit) : unit_(unit), value_(unit) {}

  uint32_t value() const { return value_; }

  /// What would be right is `target`; nothing is known beyond `reach`. Where
  /// that alone holds the limit back, it goes there at once.
  void follow(uint32_t target, uint32_t reach);

private:
  static constexpr uint32_t least_patience = 3;
  static constexpr uint32_t most_patience = 48;

  uint32_t patience_for(uint32_t goal) const;

  uint32_t unit_;
  uint32_t value_;
  uint32_t higher_ = 0; ///< times on end that the target was
  uint32_t patience_ = least_patience;
  bool rose_ = false; ///< at the last change
};

/// Chooses batch and chunk so that a step takes no longer than the TPOT allows
/// (token-budget batching: Agrawal et al., "Sarathi-Serve", 2024), from step
/// times as they are predicted, with the predictor's margin.
///
/// - rows: the most that, with the smallest chunk beside them if there ever was
///   one, stay within the TPOT; at least one.
/// - prefill_tokens: the largest chunk beside the rows that decode which stays
///   within it; at least one granule, so that no prompt starves.
/// - When at this pace the oldest prompt's first token would come, or comes,
///   after its TTFT, steps may take `stretch` times the TPOT, until it would
///   come within three quarters of it. The prompt delays the rows by the time
///   it takes in all, in few long steps no more than in many short ones; what
///   it costs is that these steps are late.
/// - Neither exceeds by more than half and one unit what was seen in a step,
///   nor does a prediction keep it from one unit beyond what was seen and is
///   fine.
class batch_controller {
public:
  explicit batch_controller(const batch_controller_options& options = {});

  /// A step of this shape took that long.
  void record(const step_shape& shape, duration took);

  /// Limits for the steps to come.
  batch_limits next(const batch_demand& demand);

  /// Whether prompts are hurried, at the expense of rows.
  bool late() const { return late_; }

  const latency_predictor& predictor() const { return predictor_; }

private:
  step_shape shape(uint32_t chunk, uint32_t rows, uint64_t context) const;
  uint32_t most_rows(uint64_t row_context) const;
  uint32_t most_tokens(uint32_t rows, uint64_t context, duration budget) const;
  bool would_be_late(const batch_demand& d, const step_shape& step) const;

  batch_controller_options options_;
  latency_predictor predictor_;
  damped_limit rows_;
  damped_limit tokens_;      ///< within the TPOT
  damped_limit late_tokens_; ///< within the stretched one
  uint32_t seen_rows_ = 0;   ///< the most in a step
  uint32_t seen_tokens_ = 0; ///< the same
  double position_ = 0;      ///< where chunks begin, on average
  double row_context_ = 0;   ///< tokens that a row attends to, on average
  bool late_ = false;
};

} // namespace troupe
