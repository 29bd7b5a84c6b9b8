#include "core/tensor/vec_avx2.hpp"

namespace troupe {

namespace {

// 16 registers: 2 by 2 sums of two registers each, and the operands.
constexpr auto tile_queries = 2;
constexpr auto tile_vectors = 2;

// 8 rows by 8 columns. The halves of a register are loaded from rows 4 apart:
// that saves the step across lanes.
inline void transpose_8x8(const float* in, size_t stride, float* out) {
  __m256 r[8];
  for (auto half = 0; half < 2; ++half)
    for (auto i = 0; i < 4; ++i) {
      auto* from = in + i * stride + 4 * half;
      r[4 * half + i] =
          _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)),
                               _mm_loadu_ps(from + 4 * stride), 1);
    }
  for (auto half = 0; half < 2; ++half) {
    auto* q = r + 4 * half;
    auto* to = out + 4 * half * 16;
    auto a = _mm256_unpacklo_ps(q[0], q[1]);
    auto b = _mm256_unpackhi_ps(q[0], q[1]);
    auto c = _mm256_unpacklo_ps(q[2], q[3]);
    auto d = _mm256_unpackhi_ps(q[2], q[3]);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(to + 16, _mm256_shuffle_ps(a, c, 0xee));
    _mm256_storeu_ps(to + 32, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(to + 48, _mm256_shuffle_ps(b, d, 0xee));
  }
}

void transpose(const float* in, size_t stride, uint32_t dim, float* out) {
  auto d = size_t{0};
  for (; d + 8 <= dim; d += 8) {
    transpose_8x8(in + d, stride, out + d * 16);
    transpose_8x8(in + d + 8 * stride, stride, out + d * 16 + 8);
  }
  for (; d < dim; ++d)
    for (auto t = size_t{0}; t < 16; ++t)
      out[d * 16 + t] = in[t * stride + d];
}

} // namespace

} // namespace troupe

#include "core/attention/attend_impl.hpp"

namespace troupe {

extern const attend_kernels avx2_attend;
const attend_kernels avx2_attend{attend, expand, transpose};

} // namespace troupe
