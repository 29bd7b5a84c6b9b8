// Quantising to 8 bits, four groups at a time: divisions and sums of four take
// the time of one. The same bits as of int8_impl.hpp's plain form; included by
// int8_avx512.cpp alone, and for the same reasons in an unnamed namespace.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "core/tensor/int8.hpp"

namespace troupe {

namespace {

// [i]: the largest of the 16 in a[i].
inline __m128i largest_of_each(const __m512i (&a)[4]) {
  __m128i x[4];
  for (auto i = 0; i < 4; ++i) {
    auto half = _mm256_max_epu32(_mm512_castsi512_si256(a[i]),
                                 _mm512_extracti64x4_epi64(a[i], 1));
    x[i] = _mm_max_epu32(_mm256_castsi256_si128(half),
                         _mm256_extracti128_si256(half, 1));
  }
  auto low = _mm_max_epu32(_mm_unpacklo_epi32(x[0], x[1]),
                           _mm_unpackhi_epi32(x[0], x[1]));
  auto high = _mm_max_epu32(_mm_unpacklo_epi32(x[2], x[3]),
                            _mm_unpackhi_epi32(x[2], x[3]));
  return _mm_max_epu32(_mm_unpacklo_epi64(low, high),
                       _mm_unpackhi_epi64(low, high));
}

// The sums of bytes 0 to 15 and 16 to 31, in the low half of each 128 bits.
inline __m256i sums_of_halves(__m256i q) {
  auto sums = _mm256_sad_epu8(_mm256_xor_si256(q, _mm256_set1_epi8(-128)),
                              _mm256_setzero_si256());
  sums = _mm256_add_epi64(sums, _mm256_unpackhi_epi64(sums, sums));
  return _mm256_sub_epi32(sums, _mm256_set1_epi32(16 * 128));
}

inline void quantise_four(const float* x, std::byte* to, size_t step,
                          float least) {
  auto magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i most[4];
  for (auto g = 0; g < 4; ++g)
    most[g] = _mm512_max_epu32(
        _mm512_and_si512(_mm512_loadu_si512(x + g * 32), magnitude),
        _mm512_and_si512(_mm512_loadu_si512(x + g * 32 + 16), magnitude));
  auto bits = largest_of_each(most);
  auto largest = _mm_castsi128_ps(bits);
  auto finite = _mm_cmplt_epu32_mask(bits, _mm_set1_epi32(0x7f800000));
  auto usable = static_cast<__mmask8>(
      finite & _mm_cmp_ps_mask(largest, _mm_set1_ps(least), _CMP_GT_OQ));
  auto top = _mm_set1_ps(127.f);
  auto scale = _mm_maskz_div_ps(usable, largest, top);
  scale = _mm_mask_mov_ps(_mm_set1_ps(__builtin_nanf("")), finite, scale);
  float inverse[4];
  _mm_storeu_ps(inverse, _mm_maskz_div_ps(usable, top, largest));

  __m256i halves[4];
  for (auto g = 0; g < 4; ++g) {
    auto keep = static_cast<__mmask16>((usable >> g & 1) != 0 ? 0xffff : 0);
    auto by = _mm512_set1_ps(inverse[g]);
    auto whole = [&](const float* at) { // to the nearest, ties to even
      return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(
          _mm512_maskz_mul_ps(keep, _mm512_loadu_ps(at), by)));
    };
    auto q = _mm256_set_m128i(whole(x + g * 32 + 16), whole(x + g * 32));
    auto* group = reinterpret_cast<quantised_group*>(to + g * step);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(group->low), q);
    halves[g] = sums_of_halves(q);
  }
  auto of_two = [](__m256i a, __m256i b) { // first of a and b, last of a and b
    return _mm256_unpacklo_epi32(a, b);
  };
  auto both = _mm256_unpacklo_epi64(of_two(halves[0], halves[1]),
                                    of_two(halves[2], halves[3]));
  auto first = _mm256_castsi256_si128(both);
  auto sum = _mm_add_epi32(first, _mm256_extracti128_si256(both, 1));

  // Four times scale, start[0], start[1], first.
  auto head = _mm_castps_si128(scale);
  auto start = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(sum, 7));
  auto small = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(sum, 3));
  first = _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(first, 5));
  auto a = _mm_unpacklo_epi32(head, start);
  auto b = _mm_unpacklo_epi32(small, first);
  auto c = _mm_unpackhi_epi32(head, start);
  auto d = _mm_unpackhi_epi32(small, first);
  auto put = [&](int g, __m128i value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + g * step), value);
  };
  static_assert(offsetof(quantised_group, scale) == 0
                && offsetof(quantised_group, start) == 4
                && offsetof(quantised_group, first) == 12);
  put(0, _mm_unpacklo_epi64(a, b));
  put(1, _mm_unpackhi_epi64(a, b));
  put(2, _mm_unpacklo_epi64(c, d));
  put(3, _mm_unpackhi_epi64(c, d));
}

} // namespace

} // namespace troupe
