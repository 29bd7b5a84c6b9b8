#pragma once

#include "core/model/architecture.hpp"
#include "core/model/bounds.hpp"
#include "core/model/hparams.hpp"
#include "core/model/key_reader.hpp"

namespace troupe {

// The steps of read_hparams, in this order; errors are left in `keys`.

/// Heads and their sizes, the scale of scores, windows.
void read_attention(key_reader& keys, const architecture& arch, hparams& p);

/// How positions turn heads, and what else YaRN changes.
void read_rope(key_reader& keys, const architecture& arch, hparams& p);

void read_experts(key_reader& keys, const architecture& arch, hparams& p);

} // namespace troupe
