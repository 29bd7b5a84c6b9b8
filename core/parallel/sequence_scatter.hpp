#pragma once

#include <vector>

#include "core/parallel/collective.hpp"
#include "core/parallel/partition.hpp"

namespace troupe {

/// Queries, keys and values of some tokens: [tokens, heads * size of a head].
struct qkv_rows {
  float* q = nullptr;
  float* k = nullptr;
  float* v = nullptr;
};

/// Sequence parallelism (Jacobs et al., "DeepSpeed Ulysses", 2023): each rank
/// computes some rows of a step with the whole model. Around attention the rows
/// are exchanged: queries, keys and values go from all heads of the rank's rows
/// to the rank's heads of all rows, in one message to each other rank, and what
/// is attended comes back likewise. Where there are more ranks than KV heads a
/// head goes to several. Rank 0 gets keys and values of all heads, so that it
/// can go on alone.
class sequence_scatter {
public:
  /// What a rank is sent of every row.
  struct share {
    head_part heads; ///< that it attends
    part kv;         ///< whose KV it keeps
  };

  /// invalid_argument if there are more ranks than heads, or no even split;
  /// unsupported for latent attention, whose heads share one KV.
  static result<void> check(const hparams& p, uint32_t ranks);

  /// REQUIRES: check(p, ranks.ranks()). For steps of up to `max_tokens`.
  sequence_scatter(const hparams& p, collective& ranks, uint32_t max_tokens);

  const share& mine() const { return shares_[ranks_.rank()]; }

  /// The rows of a step of `tokens` that this rank computes.
  part rows(uint32_t tokens) const { return rows_of(tokens, ranks_.rank()); }

  /// `own`: all heads of this rank's rows; `all`: this rank's heads of q and
  /// kept heads of k and v, of all rows.
  result<void> to_heads(uint32_t tokens, const qkv_rows& own,
                        const qkv_rows& all);

  /// `all`: [tokens, values of this rank's heads] becomes, for its own rows,
  /// `own`: [rows, values of all heads].
  result<void> to_rows(uint32_t tokens, const float* all, float* own);

private:
  part rows_of(uint32_t tokens, uint32_t rank) const {
    return part_of(tokens, ranks_.ranks(), rank);
  }
  /// Values of a row that a rank is sent.
  size_t width(const share& s) const;

  collective& ranks_;
  size_t k_dim_;
  size_t v_dim_;
  size_t heads_;
  size_t kv_heads_;
  std::vector<share> shares_; ///< [ranks]
  std::vector<size_t> to_;    ///< [ranks]
  std::vector<size_t> from_;  ///< [ranks]
  std::vector<float> sent_;
  std::vector<float> got_;
};

} // namespace troupe
