#pragma once

#include <array>
#include <cstdint>

namespace troupe {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
/// 3", SC'11): a keyed bijection from a 128-bit counter to 128 random bits.
/// There is no state to carry, so a request that is batched, moved or resumed
/// draws the same numbers.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter,
                                   std::array<uint32_t, 2> key);

/// 64 random bits for draw number `draw` at `position` of the stream `seed`.
uint64_t random_bits(uint64_t seed, uint64_t position, uint32_t draw = 0);

/// Uniform in [0, 1), with 53 bits.
double random_unit(uint64_t seed, uint64_t position, uint32_t draw = 0);

} // namespace troupe
