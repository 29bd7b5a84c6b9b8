// What the AVX2 and the AVX-VNNI form share; see int8_impl.hpp for why all of
// it is in an unnamed namespace.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace troupe {

namespace {

using floats = __m256;
using ints = __m256i;

constexpr auto lanes = 8;
constexpr auto tile_vectors = 2;

inline floats load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline void store(float* p, floats a) {
  _mm256_storeu_ps(p, a);
}
inline floats splat(const float* p) {
  return _mm256_broadcast_ss(p);
}
inline floats zero() {
  return _mm256_setzero_ps();
}
inline floats add(floats a, floats b) {
  return _mm256_add_ps(a, b);
}
inline floats mul(floats a, floats b) {
  return _mm256_mul_ps(a, b);
}
inline floats fma(floats a, floats b, floats c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline floats load_halves(const std::byte* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline floats to_floats(ints a) {
  return _mm256_cvtepi32_ps(a);
}

inline ints zero_ints() {
  return _mm256_setzero_si256();
}
inline ints splat(const int32_t* p) {
  return _mm256_set1_epi32(*p);
}
inline ints times_256_plus(ints a, ints b) {
  return _mm256_add_epi32(_mm256_slli_epi32(a, 8), b);
}
inline ints load_bytes(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
template <int J>
inline ints load_nibbles(const std::byte* p) {
  auto both = load_bytes(p);
  if (J == 1)
    both = _mm256_srli_epi16(both, 4);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}
// low | bytes at p, shifted up (or down, if negative), & mask
template <int Up>
inline ints with_bits(ints low, const std::byte* p, char mask) {
  auto bits = load_bytes(p);
  if (Up >= 0)
    bits = _mm256_slli_epi16(bits, Up >= 0 ? Up : 0);
  else
    bits = _mm256_srli_epi16(bits, Up >= 0 ? 0 : -Up);
  return _mm256_or_si256(low, _mm256_and_si256(bits, _mm256_set1_epi8(mask)));
}
template <int N>
inline ints shift_right(ints a) {
  return _mm256_srai_epi32(a, N);
}
inline ints add(ints a, ints b) {
  return _mm256_add_epi32(a, b);
}
inline ints sub(ints a, ints b) {
  return _mm256_sub_epi32(a, b);
}
inline floats load_small(const std::byte* p) {
  auto q = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
}
inline ints splat_four(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, sizeof(four));
  return _mm256_set1_epi32(four);
}

} // namespace

} // namespace troupe
