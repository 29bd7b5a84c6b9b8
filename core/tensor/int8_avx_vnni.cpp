#include "core/tensor/int8_x86.hpp"

namespace troupe {

namespace {

using weights = ints;
using inputs = ints;

// 16 registers: 6 sums of integers, 6 of floats, and the operands.
constexpr auto tile_rows = 3;

inline weights as_weights(ints w) {
  return w;
}
inline inputs splat_inputs(const int8_t* p) {
  return splat_four(p);
}
inline ints dot(ints sum, weights w, inputs x) {
  return _mm256_dpbusd_avx_epi32(sum, w, x);
}

} // namespace

} // namespace troupe

#include "core/tensor/int8_impl.hpp"

namespace troupe {

extern const int8_kernels avx_vnni_int8;
const int8_kernels avx_vnni_int8{"avx_vnni", quantise, multiply};

} // namespace troupe
