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

} // namespace

} // namespace troupe
