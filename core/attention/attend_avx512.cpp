#include "core/tensor/vec_avx512.hpp"

namespace troupe {

namespace {

// 32 registers: 16 sums and the operands.
constexpr auto tile_queries = 4;
constexpr auto tile_vectors = 4;

// Quarter i of the result: 4 values of row 4 i.
inline vec load_quarters(const float* p, size_t stride) {
  auto a = _mm512_castps128_ps512(_mm_loadu_ps(p));
  a = _mm512_insertf32x4(a, _mm_loadu_ps(p + 4 * stride), 1);
  a = _mm512_insertf32x4(a, _mm_loadu_ps(p + 8 * stride), 2);
  return _mm512_insertf32x4(a, _mm_loadu_ps(p + 12 * stride), 3);
}

// 4 columns at a time. The quarters of a register are loaded from rows 4
// apart, so that no step crosses lanes, and whole columns are stored: attend
// loads them at once, which would have to wait for stores of two halves.
void transpose(const float* in, size_t stride, uint32_t dim, float* out) {
  auto d = size_t{0};
  for (; d + 4 <= dim; d += 4) {
    auto r0 = load_quarters(in + d, stride);
    auto r1 = load_quarters(in + d + stride, stride);
    auto r2 = load_quarters(in + d + 2 * stride, stride);
    auto r3 = load_quarters(in + d + 3 * stride, stride);
    auto a = _mm512_unpacklo_ps(r0, r1);
    auto b = _mm512_unpackhi_ps(r0, r1);
    auto c = _mm512_unpacklo_ps(r2, r3);
    auto e = _mm512_unpackhi_ps(r2, r3);
    store(out + d * 16, _mm512_shuffle_ps(a, c, 0x44));
    store(out + d * 16 + 16, _mm512_shuffle_ps(a, c, 0xee));
    store(out + d * 16 + 32, _mm512_shuffle_ps(b, e, 0x44));
    store(out + d * 16 + 48, _mm512_shuffle_ps(b, e, 0xee));
  }
  for (; d < dim; ++d)
    for (auto t = size_t{0}; t < 16; ++t)
      out[d * 16 + t] = in[t * stride + d];
}

} // namespace

} // namespace troupe

#include "core/attention/attend_impl.hpp"

namespace troupe {

extern const attend_kernels avx512_attend;
const attend_kernels avx512_attend{attend, expand, transpose};

} // namespace troupe
