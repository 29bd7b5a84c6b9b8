#include "core/tensor/int8_x86.hpp"

namespace troupe {

namespace {

// Even bytes and odd bytes, as 16-bit integers. The instruction that
// multiplies bytes adds pairs with saturation: 2 * 255 * 127 is too much.
struct weights {
  ints even, odd;
};
using inputs = weights;

// 16 registers: 4 sums of integers, 4 of floats, and the operands.
constexpr auto tile_rows = 2;

inline weights as_weights(ints w) {
  return {_mm256_and_si256(w, _mm256_set1_epi16(255)), _mm256_srli_epi16(w, 8)};
}
inline inputs splat_inputs(const int8_t* p) {
  auto x = splat_four(p);
  return {_mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8),
          _mm256_srai_epi16(x, 8)};
}
inline ints dot(ints sum, const weights& w, const inputs& x) {
  auto pairs = _mm256_add_epi32(_mm256_madd_epi16(w.even, x.even),
                                _mm256_madd_epi16(w.odd, x.odd));
  return _mm256_add_epi32(sum, pairs);
}

} // namespace

} // namespace troupe

#include "core/tensor/int8_impl.hpp"

namespace troupe {

extern const int8_kernels avx2_int8;
const int8_kernels avx2_int8{"avx2", quantise, multiply};

} // namespace troupe
