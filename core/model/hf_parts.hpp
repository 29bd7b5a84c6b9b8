#pragma once

#include <vector>

#include "core/model/hf_config.hpp"
#include "core/model/json.hpp"

namespace troupe {

// The steps of read_hf_config, in this order; errors are left in `config`.
// REQUIRES: the context, the width and the number of layers are set.

/// Heads and their sizes, the scale of scores, caps, windows.
void read_hf_attention(json_fields& config, const hf_architecture& arch,
                       hparams& p);

/// What config.json says about rotary positions: rope_theta and rope_scaling,
/// or rope_parameters, which holds both since transformers 5. Fills the rope
/// fields of `p` but for rope_dim, and `factors` (see model_weights). May
/// extend p.context to what YaRN is meant for, and scale scores for it.
void read_hf_rope(json_fields& config, const hf_architecture& arch, hparams& p,
                  std::vector<float>& factors);

/// REQUIRES: p.ffn is set.
void read_hf_experts(json_fields& config, const hf_architecture& arch,
                     hparams& p);

} // namespace troupe
