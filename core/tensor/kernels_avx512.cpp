#include "core/tensor/vec_avx512.hpp"

namespace troupe {

namespace {

// 32 registers: 16 accumulators and the operands.
constexpr auto tile_rows = 4;
constexpr auto tile_columns = 4;

} // namespace

} // namespace troupe

#include "core/tensor/kernels_impl.hpp"

namespace troupe {

extern const kernels avx512_kernels;
const kernels avx512_kernels{"avx512", dequantize, multiply, swiglu,
                             geglu,    softcap,    to_f16};

} // namespace troupe
