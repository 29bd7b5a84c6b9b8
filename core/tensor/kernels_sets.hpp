#pragma once

#include "core/tensor/kernels.hpp"

namespace troupe {

// One table per instruction set; `kernels.cpp` picks.
extern const kernels portable_kernels;
#if defined(__x86_64__)
extern const kernels avx2_kernels;
extern const kernels avx512_kernels;
#endif

inline constexpr uint32_t max_accumulators =
    max_attention_queries * max_attention_dim;

} // namespace troupe
