// 16-lane vectors of AVX2, FMA and F16C; see kernels_impl.hpp for why all of it
// is in an unnamed namespace.

#include "core/tensor/kernels_x86.hpp"

namespace troupe {

namespace {

struct vec {
  __m256 lo;
  __m256 hi;
};

inline vec zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
inline vec splat(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline vec load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline void store(float* p, vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline vec add(vec a, vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline vec sub(vec a, vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline vec mul(vec a, vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline vec div(vec a, vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline vec fma(vec a, vec b, vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline vec smaller(vec a, vec b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
inline vec larger(vec a, vec b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline vec keep(vec a, uint32_t n, float fill) {
  auto count = _mm256_set1_epi32(static_cast<int>(n));
  auto lo = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  auto hi = _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15);
  auto other = _mm256_set1_ps(fill);
  return {_mm256_blendv_ps(other, a.lo,
                           _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lo))),
          _mm256_blendv_ps(other, a.hi,
                           _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, hi)))};
}

// The lanes from `n` on.
inline vec keep_from(vec a, uint32_t n, float fill) {
  auto last = _mm256_set1_epi32(static_cast<int>(n) - 1);
  auto lo = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  auto hi = _mm256_setr_epi32(8, 9, 10, 11, 12, 13, 14, 15);
  auto other = _mm256_set1_ps(fill);
  return {_mm256_blendv_ps(other, a.lo,
                           _mm256_castsi256_ps(_mm256_cmpgt_epi32(lo, last))),
          _mm256_blendv_ps(other, a.hi,
                           _mm256_castsi256_ps(_mm256_cmpgt_epi32(hi, last)))};
}

inline __m256 power_of_two(__m256 t) {
  auto n = _mm256_add_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23));
}
inline vec power_of_two(vec t) {
  return {power_of_two(t.lo), power_of_two(t.hi)};
}

inline float first_lane(vec a) {
  return _mm256_cvtss_f32(a.lo);
}

inline float largest(vec a) {
  auto b = _mm256_max_ps(a.lo, a.hi);
  auto c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  c = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}

inline __m128 quad(vec a) {
  auto b = _mm256_add_ps(a.lo, a.hi);
  return _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
}
inline void sum4(vec a, vec b, vec c, vec d, float* out) {
  _mm_storeu_ps(out, sum_of_quads(quad(a), quad(b), quad(c), quad(d)));
}

inline vec load_f32(const std::byte* p) {
  return {_mm256_castsi256_ps(load_256(p)),
          _mm256_castsi256_ps(load_256(p + 32))};
}
inline vec load_f16(const std::byte* p) {
  return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(p + 16))};
}
inline __m256 widen_bf16(__m128i h) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
inline vec load_bf16(const std::byte* p) {
  return {widen_bf16(load_128(p)), widen_bf16(load_128(p + 16))};
}
inline vec widen(__m128i q) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(q, q)))};
}
inline vec load_i8(const std::byte* p) {
  return widen(load_128(p));
}
inline void store_f16(std::byte* p, vec a) {
  constexpr auto nearest = _MM_FROUND_TO_NEAREST_INT;
  auto* to = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(to, _mm256_cvtps_ph(a.lo, nearest));
  _mm_storeu_si128(to + 1, _mm256_cvtps_ph(a.hi, nearest));
}

} // namespace

} // namespace troupe
