#pragma once

#include <vector>

#include "core/parallel/collective.hpp"
#include "core/parallel/partition.hpp"

namespace troupe {

/// Of a tensor-parallel group, whose ranks compute keys and values of their own
/// heads: brings those of all heads to rank 0, so that its KV is that of an
/// engine without ranks and can go where such a one's can.
class kv_gather {
public:
  /// `heads`: [ranks], the KV heads of each; several may have the same head.
  /// `k_dim` and `v_dim`: values of a head's key and value.
  kv_gather(collective& ranks, std::vector<part> heads, uint32_t k_dim,
            uint32_t v_dim);

  /// Heads that rank 0 has KV of: all.
  uint32_t all_heads() const { return all_; }
  bool is_at_root() const { return ranks_.rank() == 0; }

  /// k, v: [tokens, this rank's heads * dim]. At rank 0 `all_k` and `all_v`
  /// become [tokens, all_heads() * dim]; at others they are not looked at.
  result<void> run(uint32_t tokens, const float* k, const float* v,
                   float* all_k, float* all_v);

private:
  size_t width(uint32_t rank) const {
    return size_t{heads_[rank].count} * (k_dim_ + v_dim_);
  }

  collective& ranks_;
  std::vector<part> heads_;
  size_t k_dim_;
  size_t v_dim_;
  uint32_t all_ = 0;
  std::vector<size_t> to_;   ///< [ranks]
  std::vector<size_t> from_; ///< [ranks]
  std::vector<float> sent_;
  std::vector<float> got_;
};

} // namespace troupe
