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

// -- 16 levels as bytes -------------------------------------------------------

// Of each of 16 bytes the bits of `mask`, once shifted to the right. The mask
// leaves out the upper `shift` bits: they are those of the next byte.
inline __m128i pick(const std::byte* p, int shift, int mask) {
  auto moved = _mm_srl_epi16(load_128(p), _mm_cvtsi32_si128(shift));
  return _mm_and_si128(moved, _mm_set1_epi8(static_cast<char>(mask)));
}

// Bit i of the 16 at p, as byte i: 0 or 1.
inline __m128i spread(const std::byte* p) {
  uint16_t bits;
  __builtin_memcpy(&bits, p, sizeof(bits));
  auto which = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  auto all = _mm_shuffle_epi8(_mm_cvtsi32_si128(bits), which);
  auto bit =
      _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  auto set = _mm_cmpeq_epi8(_mm_and_si128(all, bit), bit);
  return _mm_and_si128(set, _mm_set1_epi8(1));
}

// Levels whose bits from the fifth on are `high`.
inline __m128i with_fifth(__m128i low, __m128i high) {
  return _mm_or_si128(low, _mm_slli_epi16(high, 4));
}

inline __m128i minus(__m128i q, int x) {
  return _mm_sub_epi8(q, _mm_set1_epi8(static_cast<char>(x)));
}

// Four vectors of 4 partial sums each to four sums.
inline __m128 sum_of_quads(__m128 a, __m128 b, __m128 c, __m128 d) {
  auto ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
  auto cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  return _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
}

} // namespace

} // namespace troupe
