#pragma once

#include "core/engine/attention_layer.hpp"
#include "core/parallel/collective.hpp"

namespace troupe {

/// What a rank of a sequence-parallel group keeps and needs.
kv_layout scattered_layout(const hparams& p, kv_dtype t,
                           const collective& ranks);
compute_needs scattered_needs(const hparams& p, const collective& ranks);

/// Grouped attention over rows that several ranks compute. The step's rows are
/// those of this rank, its sequences those of all. If a rank is lost, what it
/// adds is nothing that means anything, and collective::failure tells so.
/// REQUIRES: sequence_scatter::check.
std::unique_ptr<attention_layer> make_scattered_attention(const model& m,
                                                          uint32_t max_tokens,
                                                          collective& ranks);

} // namespace troupe
