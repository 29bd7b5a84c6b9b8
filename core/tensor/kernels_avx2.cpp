#include "core/tensor/kernels_sets.hpp"

#if defined(__x86_64__)

#include <cstring>
#include <immintrin.h>

namespace troupe {

namespace {

struct vec {
  __m256 low;  // lanes 0 to 7
  __m256 high; // lanes 8 to 15
};

constexpr int tile_m = 3;
constexpr int tile_n = 2;

vec zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
vec set(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
vec load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
vec load_some(const float* p, uint32_t n) {
  alignas(32) float part[16] = {};
  std::memcpy(part, p, n * sizeof(float));
  return load(part);
}
void store(float* p, vec x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}
void store_some(float* p, uint32_t n, vec x) {
  alignas(32) float part[16];
  store(part, x);
  std::memcpy(p, part, n * sizeof(float));
}
vec fma(vec a, vec b, vec c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low),
          _mm256_fmadd_ps(a.high, b.high, c.high)};
}
vec mul(vec a, vec b) {
  return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}
vec add(vec a, vec b) {
  return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}
vec sub(vec a, vec b) {
  return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}
vec div(vec a, vec b) {
  return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}
// The second operand where one is NaN.
vec max(vec a, vec b) {
  return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}
vec min(vec a, vec b) {
  return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}
vec round(vec a) {
  constexpr int how = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, how), _mm256_round_ps(a.high, how)};
}
float first_lane(vec a) {
  return _mm256_cvtss_f32(a.low);
}

// Lanes l + 8, then l + 4, l + 2, l + 1 are added to lanes l.
float sum(vec a) {
  auto x8 = _mm256_add_ps(a.low, a.high);
  auto x4 =
      _mm_add_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  auto x2 = _mm_add_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_add_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

float largest(vec a) {
  auto x8 = _mm256_max_ps(a.low, a.high);
  auto x4 =
      _mm_max_ps(_mm256_castps256_ps128(x8), _mm256_extractf128_ps(x8, 1));
  auto x2 = _mm_max_ps(x4, _mm_movehl_ps(x4, x4));
  return _mm_cvtss_f32(_mm_max_ss(x2, _mm_shuffle_ps(x2, x2, 1)));
}

// p * 2^n, n whole and within float's exponents.
__m256 scale_half(__m256 p, __m256 n) {
  auto bits = _mm256_slli_epi32(
      _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(p, _mm256_castsi256_ps(bits));
}

vec scale_by_power(vec p, vec n) {
  return {scale_half(p.low, n.low), scale_half(p.high, n.high)};
}

vec zero_below(vec x, float limit, vec y) {
  auto l = _mm256_set1_ps(limit);
  return {_mm256_and_ps(_mm256_cmp_ps(x.low, l, _CMP_NLT_UQ), y.low),
          _mm256_and_ps(_mm256_cmp_ps(x.high, l, _CMP_NLT_UQ), y.high)};
}

vec keep_first(vec x, uint32_t n, float rest) {
  auto count = _mm256_set1_epi32(static_cast<int>(n));
  auto low = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  auto high = _mm256_add_epi32(low, _mm256_set1_epi32(8));
  auto r = _mm256_set1_ps(rest);
  return {_mm256_blendv_ps(r, x.low,
                           _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, low))),
          _mm256_blendv_ps(
              r, x.high, _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, high)))};
}

__m128i bits_at(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

vec load_f16(const std::byte* p) {
  return {_mm256_cvtph_ps(bits_at(p)), _mm256_cvtph_ps(bits_at(p + 16))};
}

void store_f16(uint16_t* p, vec x) {
  constexpr int how = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x.low, how));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8),
                   _mm256_cvtps_ph(x.high, how));
}

__m256 from_bf16(__m128i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}

vec load_bf16(const std::byte* p) {
  return {from_bf16(bits_at(p)), from_bf16(bits_at(p + 16))};
}

float half_at(const std::byte* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof(h));
  return _cvtsh_ss(h);
}

vec from_i8(__m128i x) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)))};
}

vec load_i8(const std::byte* p) {
  return from_i8(bits_at(p));
}

vec from_nibbles(__m128i bytes) {
  auto x = _mm_and_si128(bytes, _mm_set1_epi8(15));
  return from_i8(_mm_sub_epi8(x, _mm_set1_epi8(8)));
}

vec load_low_nibbles(const std::byte* p) {
  return from_nibbles(bits_at(p));
}

vec load_high_nibbles(const std::byte* p) {
  return from_nibbles(_mm_srli_epi16(bits_at(p), 4));
}

#include "core/tensor/kernels_impl.inl"

} // namespace

const kernels avx2_kernels = {"avx2", expand, product_few, product, rms_norm,
                              swiglu, attend, exp_all,     to_f16};

} // namespace troupe

#endif
