#include "core/tensor/vec_portable.hpp"

namespace troupe {

namespace {

constexpr auto tile_rows = 4;
constexpr auto tile_columns = 4;

} // namespace

} // namespace troupe

#include "core/tensor/kernels_impl.hpp"

namespace troupe {

extern const kernels portable_kernels;
const kernels portable_kernels{"portable", dequantize, multiply, swiglu,
                               geglu,      softcap,    to_f16};

} // namespace troupe
