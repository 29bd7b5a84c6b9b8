#pragma once

#include <cstdint>

namespace troupe {

// Most that hparams may be, whatever file they come from: products of two of
// them stay far from overflow.
inline constexpr auto most_width = uint32_t{1} << 20; // hidden, ffn, all heads
inline constexpr auto most_layers = uint32_t{4096};
inline constexpr auto most_heads = uint32_t{65536};
inline constexpr auto most_experts = uint32_t{4096};
inline constexpr auto most_context = uint32_t{1} << 24;
inline constexpr auto most_tokens = uint32_t{1} << 24;

} // namespace troupe
