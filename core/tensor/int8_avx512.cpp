#if defined(__GNUC__) && !defined(__clang__)
// GCC bug 105593, as in kernels_avx512.cpp.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace troupe {

namespace {

using floats = __m512;
using ints = __m512i;
using weights = __m512i;
using inputs = __m512i;

// 32 registers: 12 sums of integers, 12 of floats, and the operands.
constexpr auto lanes = 16;
constexpr auto tile_vectors = 2;
constexpr auto tile_rows = 6;

inline floats load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, floats a) {
  _mm512_storeu_ps(p, a);
}
inline floats splat(const float* p) {
  return _mm512_set1_ps(*p);
}
inline floats zero() {
  return _mm512_setzero_ps();
}
inline floats add(floats a, floats b) {
  return _mm512_add_ps(a, b);
}
inline floats mul(floats a, floats b) {
  return _mm512_mul_ps(a, b);
}
inline floats fma(floats a, floats b, floats c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline floats load_halves(const std::byte* p) {
  return _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline floats to_floats(ints a) {
  return _mm512_cvtepi32_ps(a);
}

inline ints zero_ints() {
  return _mm512_setzero_si512();
}
inline ints splat(const int32_t* p) {
  return _mm512_set1_epi32(*p);
}
inline ints times_256_plus(ints a, ints b) {
  return _mm512_add_epi32(_mm512_slli_epi32(a, 8), b);
}
inline ints load_bytes(const std::byte* p) {
  return _mm512_loadu_si512(p);
}
template <int J>
inline ints load_nibbles(const std::byte* p) {
  auto both = _mm512_loadu_si512(p);
  if (J == 1)
    both = _mm512_srli_epi16(both, 4);
  return _mm512_and_si512(both, _mm512_set1_epi8(15));
}

// low | bytes at p, shifted up (or down, if negative), & mask
template <int Up>
inline ints with_bits(ints low, const std::byte* p, char mask) {
  auto bits = _mm512_loadu_si512(p);
  if (Up >= 0)
    bits = _mm512_slli_epi16(bits, Up >= 0 ? Up : 0);
  else
    bits = _mm512_srli_epi16(bits, Up >= 0 ? 0 : -Up);
  return _mm512_ternarylogic_epi32(low, bits, _mm512_set1_epi8(mask), 0xf8);
}
template <int N>
inline ints shift_right(ints a) {
  return _mm512_srai_epi32(a, N);
}
inline ints add(ints a, ints b) {
  return _mm512_add_epi32(a, b);
}
inline ints sub(ints a, ints b) {
  return _mm512_sub_epi32(a, b);
}
inline floats load_small(const std::byte* p) {
  auto q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
}

inline weights as_weights(ints w) {
  return w;
}
inline inputs splat_inputs(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, sizeof(four));
  return _mm512_set1_epi32(four);
}
inline ints dot(ints sum, weights w, inputs x) {
  return _mm512_dpbusd_epi32(sum, w, x);
}

} // namespace

} // namespace troupe

#include "core/tensor/quantise_avx512.hpp"
#define TROUPE_QUANTISE_FOUR
#include "core/tensor/int8_impl.hpp"

namespace troupe {

extern const int8_kernels avx512_vnni_int8;
const int8_kernels avx512_vnni_int8{"avx512_vnni", quantise, multiply};

} // namespace troupe
