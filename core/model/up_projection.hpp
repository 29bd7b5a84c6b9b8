#pragma once

#include "core/model/hparams.hpp"
#include "core/model/weights.hpp"

namespace troupe {

/// Splits the matrix that makes K and V of all heads from a token's latent
/// vector, [heads * (head_dim - rope_dim + value_dim), kv_rank], into
/// layer.wk_b, transposed, and layer.wv_b. The first is a copy that w keeps:
/// exact, in the matrix's own encoding or, where that has blocks, in f32.
/// REQUIRES: kv_b has that shape.
void split_up_projection(const hparams& p, const matrix_view& kv_b,
                         model_weights& w, layer_weights& layer);

} // namespace troupe
