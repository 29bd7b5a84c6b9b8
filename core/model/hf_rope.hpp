#pragma once

#include <vector>

#include "core/model/hparams.hpp"
#include "core/model/json.hpp"

namespace troupe {

/// Reads what config.json says about rotary positions: rope_theta and
/// rope_scaling, or rope_parameters, which holds both since transformers 5.
/// Fills the rope fields of `p` but for rope_dim, and `factors` (see
/// model_weights). May extend p.context to what YaRN is meant for.
/// REQUIRES: p.context and p.rope_dim are set.
void read_hf_rope(json_fields& config, hparams& p, std::vector<float>& factors);

} // namespace troupe
