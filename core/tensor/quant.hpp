#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/matrix.hpp"

namespace troupe {

// The plain forms of encoding and decoding: the kernels are tested against
// these. Rows need no alignment.

/// Decodes the first `n` values of an encoded row into `out`: [n].
/// REQUIRES: n is a multiple of block_values(t).
void dequantize_row(dtype t, const std::byte* row, uint32_t n, float* out);

/// Encodes `in`: [n] into `row`, n / block_values(t) * block_bytes(t) bytes.
/// f16 and bf16 round to nearest even. A q8_0 block's scale is its largest
/// magnitude / 127; a q4_0 (q5_0) block's is its value of largest magnitude /
/// -8 (-16), so that this value is met exactly up to the scale's rounding; the
/// levels of q4_1 and q5_1 go from the least value to the greatest. For those
/// of 256 values see quant_k.hpp.
/// REQUIRES: n is a multiple of block_values(t); the values are finite, and
/// where there are scales and minima they are in float16's range.
void quantize_row(dtype t, const float* in, uint32_t n, std::byte* row);

} // namespace troupe
