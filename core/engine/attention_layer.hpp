#pragma once

#include <memory>

#include "core/engine/step.hpp"
#include "core/kv/layout.hpp"
#include "core/model/model.hpp"

namespace troupe {

class kv_gather;

/// A variant of attention: what it keeps of a token, and what a layer does with
/// it.
class attention_layer {
public:
  virtual ~attention_layer() = default;

  /// Fixes the step's rows; they hold for all its layers.
  virtual void plan(compute& c, const step_rows& rows,
                    const kv_layout& layout) = 0;

  /// Writes the KV of the rows of x: [tokens, hidden], normalised, and adds
  /// what they attend to, projected, to `out`: [tokens, hidden].
  virtual void run(compute& c, uint32_t layer, const layer_weights& w,
                   const float* x, float* out) = 0;
};

/// What a variant needs of compute.
struct compute_needs {
  uint32_t widest = 0; ///< inputs of a matrix
  size_t scratch_floats = 0;

  void merge(const compute_needs& other) {
    widest = std::max(widest, other.widest);
    scratch_floats = std::max(scratch_floats, other.scratch_floats);
  }
};

/// What makes a model's attention what it is.
struct attention_variant {
  kv_layout (*layout)(const hparams& p, kv_dtype t);
  compute_needs (*needs)(const hparams& p);
  /// `gather`: of tensor ranks, if rank 0 keeps the KV of all heads; or null.
  std::unique_ptr<attention_layer> (*make)(const model& m, uint32_t max_tokens,
                                           kv_gather* gather);
};

/// Multi-head attention in which query heads may share the KV of a head.
extern const attention_variant grouped_attention;

/// Multi-head latent attention, always in its absorbed form: Q is taken to the
/// space of the latent vectors and the result taken back, so that these are
/// what is attended to, one KV head for all heads of Q. The KV of a token is
/// its latent vector, then the rotated values that heads share.
extern const attention_variant latent_attention;

inline const attention_variant& attention_of(const hparams& p) {
  return p.mla.kv_rank > 0 ? latent_attention : grouped_attention;
}

} // namespace troupe
