#pragma once

#include "core/base/result.hpp"
#include "core/model/model.hpp"
#include "core/parallel/partition.hpp"

namespace troupe {

/// What a rank of a tensor-parallel group holds of a model (Shoeybi et al.,
/// "Megatron-LM", 2019): heads of attention and columns of feed-forwards, whose
/// projections back give sums over all ranks; and tokens of the vocabulary.
struct shard_plan {
  uint32_t rank = 0;
  uint32_t ranks = 1;
  head_part heads;
  part ffn;        ///< in layers without experts
  part expert_ffn; ///< of each expert
  part shared_ffn; ///< of the experts that all tokens use, as one
  part tokens;
};

/// The plan for rank `rank` of `ranks`; the parts may be of unequal sizes.
/// invalid_argument, with the reason, if the model cannot be split so: matrices
/// are cut between encoded blocks only, and nobody is left without a part.
result<shard_plan> plan_shard(const model& whole, uint32_t ranks,
                              uint32_t rank);

} // namespace troupe
