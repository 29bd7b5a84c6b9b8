// 16-lane vectors of AVX-512; see kernels_impl.hpp for why all of it is in an
// unnamed namespace.

// GCC 12's own intrinsics leave a register undefined on purpose, and its
// warning about that points into them (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "core/tensor/kernels_x86.hpp"

namespace troupe {

namespace {

using vec = __m512;

inline vec zero() {
  return _mm512_setzero_ps();
}
inline vec splat(float x) {
  return _mm512_set1_ps(x);
}
inline vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, vec a) {
  _mm512_storeu_ps(p, a);
}
inline vec add(vec a, vec b) {
  return _mm512_add_ps(a, b);
}
inline vec sub(vec a, vec b) {
  return _mm512_sub_ps(a, b);
}
inline vec mul(vec a, vec b) {
  return _mm512_mul_ps(a, b);
}
inline vec div(vec a, vec b) {
  return _mm512_div_ps(a, b);
}
inline vec fma(vec a, vec b, vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline vec smaller(vec a, vec b) {
  return _mm512_min_ps(a, b);
}
inline vec larger(vec a, vec b) {
  return _mm512_max_ps(a, b);
}
inline vec keep(vec a, uint32_t n, float fill) {
  auto mask = static_cast<__mmask16>((1u << n) - 1);
  return _mm512_mask_blend_ps(mask, splat(fill), a);
}
// The lanes from `n` on.
inline vec keep_from(vec a, uint32_t n, float fill) {
  auto mask = static_cast<__mmask16>((1u << n) - 1);
  return _mm512_mask_blend_ps(mask, a, splat(fill));
}
inline vec power_of_two(vec t) {
  auto n = _mm512_add_epi32(_mm512_castps_si512(t), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(n, 23));
}
inline float first_lane(vec a) {
  return _mm512_cvtss_f32(a);
}

inline float largest(vec a) {
  auto b =
      _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  auto c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

// Quarters a0 a1 a2 a3 of a and so on: first (l, l + 8), then (l, l + 4) of
// all four at once, one in each quarter.
inline void sum4(vec a, vec b, vec c, vec d, float* out) {
  auto ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44),
                          _mm512_shuffle_f32x4(a, b, 0xee));
  auto cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44),
                          _mm512_shuffle_f32x4(c, d, 0xee));
  auto quads = _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88),
                             _mm512_shuffle_f32x4(ab, cd, 0xdd));
  quads = _mm512_add_ps(quads, _mm512_permute_ps(quads, 0x4e));
  quads = _mm512_add_ps(quads, _mm512_permute_ps(quads, 0xb1));
  auto first =
      _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  auto sums = _mm512_permutexvar_ps(first, quads);
  _mm_storeu_ps(out, _mm512_castps512_ps128(sums));
}

inline vec load_f32(const std::byte* p) {
  return _mm512_loadu_ps(p);
}
inline vec load_f16(const std::byte* p) {
  return _mm512_cvtph_ps(load_256(p));
}
inline vec load_bf16(const std::byte* p) {
  auto wide = _mm512_cvtepu16_epi32(load_256(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline vec widen(__m128i q) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
}
inline vec load_i8(const std::byte* p) {
  return widen(load_128(p));
}
inline void store_f16(std::byte* p, vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

} // namespace

} // namespace troupe
