#pragma once

#include "core/model/architecture.hpp"
#include "core/model/hparams.hpp"
#include "core/model/key_reader.hpp"

namespace troupe {

// Bounds that keep products of two numbers far from overflow.

inline constexpr auto most_width = uint32_t{1} << 20; ///< hidden, ffn, heads…
inline constexpr auto most_layers = uint32_t{4096};
inline constexpr auto most_heads = uint32_t{65536};
inline constexpr auto most_experts = uint32_t{4096};
inline constexpr auto most_context = uint32_t{1} << 24;

// The steps of read_hparams, in this order; errors are left in `keys`.

/// Heads and their sizes, the scale of scores, windows.
void read_attention(key_reader& keys, const architecture& arch, hparams& p);

/// How positions turn heads, and what else YaRN changes.
void read_rope(key_reader& keys, const architecture& arch, hparams& p);

void read_experts(key_reader& keys, const architecture& arch, hparams& p);

} // namespace troupe
