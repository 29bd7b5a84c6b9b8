#pragma once

#include <optional>

#include "core/engine/attention_layer.hpp"
#include "core/engine/expert_rows.hpp"
#include "core/engine/step.hpp"
#include "core/model/model.hpp"

namespace troupe {

/// The feed-forward of a layer: one for all tokens, experts for each, or both.
class feed_forward {
public:
  feed_forward(const hparams& p, uint32_t max_tokens);

  static compute_needs needs(const hparams& p);

  /// Adds what becomes of x: [tokens, hidden], normalised, to `out`: [tokens,
  /// hidden]. To a row of it is added, in this order, what each of its experts
  /// gives, by their numbers, then what the shared ones give; so it is the same
  /// whatever the other rows use.
  void run(compute& c, const layer_weights& w, const float* x, uint32_t tokens,
           float* out);

private:
  void run_experts(compute& c, const layer_weights& w, const float* x,
                   uint32_t tokens, float* out);
  /// out = what becomes of x, or is added to.
  void run_one(compute& c, const ffn_weights& w, const float* x, uint32_t rows,
               float* out, bool add);

  const hparams& p_;
  row_buffer gate_; ///< the width of the widest
  row_buffer up_;

  // -- with experts -----------------------------------------------------------

  row_buffer logits_;   ///< experts
  row_buffer gathered_; ///< hidden: the rows of an expert
  row_buffer result_;   ///< hidden: what it gives
  expert_rows rows_;
};

} // namespace troupe
