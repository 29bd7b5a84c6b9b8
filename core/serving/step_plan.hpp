#pragma once

#include <cstdint>

namespace troupe {

/// How much one step of a node may do that decodes and prefills.
struct step_limits {
  /// Sequences that decode in one step.
  uint32_t rows = 64;
  /// Tokens of one step, decoding rows included.
  uint32_t tokens = 256;
  /// The same when any row decodes: everybody who decodes waits for the whole
  /// step.
  uint32_t tokens_beside_rows = 256;
  /// Chunks of prompts end at multiples of this, but for their last.
  uint32_t granularity = 16;

  /// Tokens of a step at most, whatever the plan.
  uint32_t most_tokens() const;
};

/// What goes into one step. Decoding rows come first, so that no prompt stalls
/// them; prompts get what is left of the budget, oldest first, and never less
/// than one granule, so that no decoding starves them (Agrawal et al.,
/// "Sarathi-Serve", 2024).
class step_plan {
public:
  /// For a step while `decoding` sequences decode.
  step_plan(const step_limits& limits, uint32_t decoding);

  /// Sequences that decode in this step.
  uint32_t rows() const { return rows_; }

  /// Whether another prompt may be added.
  bool has_room() const { return room_ > 0; }

  /// Adds a chunk of the next prompt, of which `left` tokens are to compute,
  /// and returns its length: all of it, or a multiple of the granularity.
  /// REQUIRES: has_room(), left > 0.
  uint32_t add_prompt(uint32_t left);

private:
  uint32_t granularity_;
  uint32_t rows_;
  uint32_t room_; ///< tokens left for prompts
};

} // namespace troupe
