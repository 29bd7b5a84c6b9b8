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

// 32 registers: 16 accumulators and the operands.
constexpr auto tile_rows = 4;
constexpr auto tile_columns = 4;
constexpr auto tile_queries = 4;

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

#include "core/tensor/kernels_impl.hpp"

namespace troupe {

extern const kernels avx512_kernels;
const kernels avx512_kernels{"avx512", dequantize, multiply, swiglu, geglu, softcap, to_f16,   transpose,  attend};

} // namespace troupe
