#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"

namespace troupe {

namespace {

constexpr auto lanes = 8;
constexpr auto tile_vectors = 1;
constexpr auto tile_rows = uint32_t{1};

struct floats {
  float v[lanes];
};
struct weights {
  uint32_t v[lanes];
};

template <class T, class F>
inline T each(F f) {
  T r;
  for (auto i = 0; i < lanes; ++i)
    r.v[i] = f(i);
  return r;
}

inline floats load(const float* p) {
  return each<floats>([p](int i) { return p[i]; });
}
inline void store(float* p, const floats& a) {
  for (auto i = 0; i < lanes; ++i)
    p[i] = a.v[i];
}
inline floats zero() {
  return each<floats>([](int) { return 0.f; });
}
inline floats add(const floats& a, const floats& b) {
  return each<floats>([&](int i) { return a.v[i] + b.v[i]; });
}
inline weights load_pairs(const std::byte* p) {
  return each<weights>(
      [p](int i) { return load_unaligned<uint32_t>(p + 4 * i); });
}
inline uint32_t splat_pair(const uint32_t* p) {
  return *p;
}

// Subnormal numbers are zeros of the same sign.
inline float flushed(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  return (bits & 0x7f800000u) == 0 ? std::bit_cast<float>(bits & 0x80000000u)
                                   : x;
}
inline float lower(uint32_t pair) {
  return flushed(std::bit_cast<float>(pair << 16));
}
inline float upper(uint32_t pair) {
  return flushed(std::bit_cast<float>(pair & 0xffff0000u));
}

inline floats dot(const floats& sum, const weights& w, uint32_t x) {
  return each<floats>([&](int i) {
    auto y = std::fma(upper(x), upper(w.v[i]), flushed(sum.v[i]));
    return flushed(std::fma(lower(x), lower(w.v[i]), flushed(y)));
  });
}

} // namespace

} // namespace troupe

#include "core/tensor/bf16_impl.hpp"

namespace troupe {

namespace {

void round(const float* x, uint32_t row, const bf16_rows& to) {
  auto k = to.inputs;
  auto pairs = (k + 1) / 2;
  auto at = size_t{row / to.height} * pairs * to.height + row % to.height;
  auto* out = to.data + at * to.parts;
  for (auto i = uint32_t{0}; i < k; i += 2, out += to.height * to.parts) {
    float left[] = {x[size_t{row} * k + i],
                    i + 1 < k ? x[size_t{row} * k + i + 1] : 0.f};
    for (auto part = 0u; part < to.parts; ++part) {
      auto pair = uint32_t{0};
      for (auto j = 0; j < 2; ++j) {
        auto b = f32_to_bf16(flushed(left[j]));
        pair |= uint32_t{b} << (16 * j);
        left[j] -= bf16_to_f32(b);
      }
      out[part] = pair;
    }
  }
}

} // namespace

extern const bf16_kernels portable_bf16;
const bf16_kernels portable_bf16{"portable", round, multiply};

} // namespace troupe
