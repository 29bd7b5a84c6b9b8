#include "core/tensor/kernels_sets.hpp"

#if defined(__x86_64__)

#include <cstring>
#include <immintrin.h>

namespace troupe {

namespace {

using vec = __m512;

constexpr int tile_m = 4;
constexpr int tile_n = 4;

__mmask16 first_bits(uint32_t n) {
  return static_cast<__mmask16>((1u << n) - 1);
}

vec zero() {
  return _mm512_setzero_ps();
}
vec set(float x) {
  return _mm512_set1_ps(x);
}
vec load(const float* p) {
  return _mm512_loadu_ps(p);
}
vec load_some(const float* p, uint32_t n) {
  return _mm512_maskz_loadu_ps(first_bits(n), p);
}
void store(float* p, vec x) {
  _mm512_storeu_ps(p, x);
}
void store_some(float* p, uint32_t n, vec x) {
  _mm512_mask_storeu_ps(p, first_bits(n), x);
}
vec fma(vec a, vec b, vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
vec mul(vec a, vec b) {
  return _mm512_mul_ps(a, b);
}
vec add(vec a, vec b) {
  return _mm512_add_ps(a, b);
}
vec sub(vec a, vec b) {
  return _mm512_sub_ps(a, b);
}
vec div(vec a, vec b) {
  return _mm512_div_ps(a, b);
}
// The second operand where one is NaN.
vec max(vec a, vec b) {
  return _mm512_max_ps(a, b);
}
vec min(vec a, vec b) {
  return _mm512_min_ps(a, b);
}
vec round(vec a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
float first_lane(vec a) {
  return _mm512_cvtss_f32(a);
}

// Lanes l + 8, then l + 4, l + 2, l + 1 are added to lanes l.
float sum(vec a) {
  auto low = _mm512_castps512_ps256(a);
  auto high = _mm512_extractf32x8_ps(a, 1);
  auto x8 = _mm256_add_ps(low, high);
  auto x4 =
      _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  auto x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

float largest(vec a) {
  return _mm512_reduce_max_ps(a);
}

// p * 2^n, n whole and within float's exponents.
vec scale_by_power(vec p, vec n) {
  auto bits = _mm512_slli_epi32(
      _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
  return _mm512_mul_ps(p, _mm512_castsi512_ps(bits));
}

vec zero_below(vec x, float limit, vec y) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, set(limit), _CMP_NLT_UQ), y);
}

vec keep_first(vec x, uint32_t n, float rest) {
  return _mm512_mask_mov_ps(set(rest), first_bits(n), x);
}

vec load_f16(const std::byte* p) {
  return _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

void store_f16(uint16_t* p, vec x) {
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(p),
      _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

vec load_bf16(const std::byte* p) {
  auto x = _mm512_cvtepu16_epi32(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16));
}

float half_at(const std::byte* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof(h));
  return _cvtsh_ss(h);
}

vec load_i8(const std::byte* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}

vec from_nibbles(__m128i bytes) {
  auto x = _mm_and_si128(bytes, _mm_set1_epi8(15));
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_sub_epi8(x, _mm_set1_epi8(8))));
}

vec load_low_nibbles(const std::byte* p) {
  return from_nibbles(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

vec load_high_nibbles(const std::byte* p) {
  return from_nibbles(
      _mm_srli_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), 4));
}

#include "core/tensor/kernels_impl.inl"

} // namespace

const kernels avx512_kernels = {"avx512", expand,   product_few,
                                product,  rms_norm, swiglu,
                                attend,   exp_all,  to_f16};

} // namespace troupe

#endif
