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
using weights = __m512bh;

// 32 registers: 12 sums, each the next one's wait, and the operands.
constexpr auto lanes = 16;
constexpr auto tile_vectors = 2;
constexpr auto tile_rows = uint32_t{6};

inline floats load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline void store(float* p, floats a) {
  _mm512_storeu_ps(p, a);
}
inline floats zero() {
  return _mm512_setzero_ps();
}
inline floats add(floats a, floats b) {
  return _mm512_add_ps(a, b);
}
inline weights load_pairs(const std::byte* p) {
  return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p));
}
inline __m512bh splat_pair(const uint32_t* p) {
  return reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(*p)));
}
inline floats dot(floats sum, weights w, __m512bh x) {
  return _mm512_dpbf16_ps(sum, w, x);
}

} // namespace

} // namespace troupe

#include "core/tensor/bf16_impl.hpp"

namespace troupe {

namespace {

// 16 values, rounded; subnormal ones become zeros.
inline __m256i rounded(__m512 x) {
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
}
inline __m512 widened(__m256i b) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

void round(const float* x, uint32_t row, const bf16_rows& to) {
  auto k = to.inputs;
  auto pairs = (k + 1) / 2;
  auto at = size_t{row / to.height} * pairs * to.height + row % to.height;
  auto step = to.height * to.parts;
  x += size_t{row} * k;
  auto* out = to.data + at * to.parts;
  for (auto i = uint32_t{0}; i < k; i += 16, out += 8 * step) {
    auto left = k - i < 16 ? k - i : 16u;
    auto values =
        _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << left) - 1), x + i);
    for (auto part = 0u; part < to.parts; ++part) {
      auto b = rounded(values);
      uint32_t eight[8];
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(eight), b);
      for (auto j = 0u; j < (left + 1) / 2; ++j)
        out[j * step + part] = eight[j];
      values = _mm512_sub_ps(values, widened(b));
    }
  }
}

} // namespace

extern const bf16_kernels avx512_bf16;
const bf16_kernels avx512_bf16{"avx512_bf16", round, multiply};

} // namespace troupe
