#pragma once

#include <memory>
#include <span>

#include "core/base/result.hpp"
#include "core/engine/batch.hpp"
#include "core/kv/layout.hpp"
#include "core/model/model.hpp"
#include "core/tensor/matrix.hpp"

namespace troupe {

class collective;
class rank_leader;
struct kernels;

struct engine_options {
  /// Threads that compute, the caller's included.
  unsigned threads = 1;
  /// Tokens of one step over all rows; scratch memory grows with it.
  uint32_t max_tokens_per_step = 256;
  /// Null: the fastest that this processor can run. All give the same bits.
  const kernels* use = nullptr;
  /// What activations are rounded to before they meet packed weights. i16
  /// is as good as f32 and several times as fast; i8 is faster still where
  /// many rows are computed at once, and what it costs is up to the model.
  activation_type activations = activation_type::i16;

  // Ranks that compute each step together, an engine each; all are given rows
  // of the same tokens, and drop a step, if at all, after as many layers. At
  // most one of these; it outlives the engine.

  /// Tensor parallelism: the engine's model is this rank's shard (load_shard).
  collective* tensor_ranks = nullptr;
  /// The model that it is a shard of. With it rank 0 keeps all KV, as with
  /// sequence_ranks; without, each rank has that of its own heads alone.
  const model* whole = nullptr;
  /// Sequence parallelism: the ranks have the whole model, and each computes
  /// some of a step's tokens. Rank 0 keeps all KV and gets the logits; the
  /// others keep the KV of some heads (engine::layout), and get no logits.
  /// REQUIRES: sequence_scatter::check.
  collective* sequence_ranks = nullptr;
  /// At rank 0, if the others are not called but told what to do
  /// (rank_follower): hears of every call.
  rank_leader* leader = nullptr;
};

/// The KV blocks that an engine of this model needs.
kv_layout kv_layout_of(const hparams& p, kv_dtype t);

/// Runs a transformer over paged KV. What a row yields depends on that row's
/// tokens and KV alone, bit for bit: not on the other rows, on how its prompt
/// was cut into chunks, or on the number of threads. Quantised matrices are
/// rearranged when an engine is made, once for all engines of a model.
class engine {
public:
  engine(std::shared_ptr<const model> weights, engine_options options);
  engine(engine&&) noexcept;
  engine& operator=(engine&&) noexcept;
  ~engine();

  /// The KV blocks that this engine's model needs; see kv_layout_of.
  kv_layout layout(kv_dtype t) const;

  /// Computes one step. Returns the wanted logits, [n, vocab] in the order of
  /// rows (and of tokens, for want_all_logits); they stay valid until the next
  /// call. On an error (invalid_argument for a token id out of range, an empty
  /// row or more tokens than a step may have; context_exceeded) nothing was
  /// changed; if a rank was lost, which is the failure() then, no table's
  /// length was. Allocates nothing. REQUIRES: every table has memory
  /// (page_table::grow or ::back) for its tokens, and all tables share one
  /// layout.
  result<std::span<const float>> forward(std::span<const batch_row> rows);

  // The same in parts, for whoever has other things to do between layers:
  // begin, advance until it returns 0, finish. The bits are forward's.

  /// Checks the rows and starts a step; on an error none is under way. One that
  /// was begun and not finished is dropped: its tables keep their lengths, are
  /// not looked at again, and may be gone.
  /// REQUIRES: as forward; and until finish, or as long as advance is called,
  /// the tables stay as they are.
  result<void> begin(std::span<const batch_row> rows);

  /// Computes up to `layers` more layers of the step. Returns how many, 0 if
  /// none is left, no step is under way or a rank was lost. The KV of those
  /// layers is final, so that it can be sent on while the next ones compute.
  uint32_t advance(uint32_t layers);

  /// Ends the step: advances the tables, and returns the wanted logits; if a
  /// rank was lost, neither.
  /// REQUIRES: a step is under way, and has no layers left or a failure().
  std::span<const float> finish();

  /// Of the step that ended last: what its rows with `want_states` want, the
  /// states that the output matrix would be given, [n, hidden] in the order of
  /// rows and of their tokens; they stay valid until the next call. Where ranks
  /// share rows, rank 0 gets them, the others nothing.
  std::span<const float> states() const;

  /// The error that ended the group of ranks, naming the rank that was lost; or
  /// null. There is none without ranks.
  const error* failure() const;

  const model& weights() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace troupe
