// What the AVX2 and the AVX-512 kernels share; see kernels_impl.hpp for why
// all of it is in an unnamed namespace.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace troupe {

namespace {

inline __m128i load_128(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

inline __m256i load_256(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

inline float half_at(const std::byte* p) {
  uint16_t h;
  __builtin_memcpy(&h, p, sizeof(h));
  return _cvtsh_ss(h);
}

// Four vectors of 4 partial sums each to four sums.
inline __m128 sum_of_quads(__m128 a, __m128 b, __m128 c, __m128 d) {
  auto ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
  auto cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

// The lanes of a and b at `at` of 8 rows as one 8 by 8 transpose; loading the
// halves of a register from rows 4 apart saves the cross-lane step.
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
