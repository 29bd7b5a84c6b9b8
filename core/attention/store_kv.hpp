#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kv/layout.hpp"
#include "core/tensor/kernels.hpp"

namespace troupe {

/// Stores a token's key of one head: `k`: [layout.k_dim], at row `row` of the
/// keys of that head in a block. Rounds to nearest, ties to even; for i8 by the
/// largest magnitude. A number that i8 cannot scale, an infinity or a NaN,
/// makes the whole key a NaN.
void store_key(const kernels& fast, const kv_layout& layout, const float* k,
               uint32_t row, std::byte* keys);

/// The same for a value: `v`: [layout.v_dim].
void store_value(const kernels& fast, const kv_layout& layout, const float* v,
                 uint32_t row, std::byte* values);

} // namespace troupe
