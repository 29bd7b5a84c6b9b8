#include "core/tensor/vec_avx2.hpp"

namespace troupe {

namespace {

// 16 registers: 2 by 2 accumulators of two registers each, and the operands.
constexpr auto tile_rows = 2;
constexpr auto tile_columns = 2;

} // namespace

} // namespace troupe

#include "core/tensor/kernels_impl.hpp"

namespace troupe {

extern const kernels avx2_kernels;
const kernels avx2_kernels{"avx2", dequantize, multiply, swiglu,
                           geglu,  softcap,    to_f16};

} // namespace troupe
