// 16-lane vectors in plain C++: what the others must agree with, bit for bit.

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"

namespace troupe {

namespace {

struct vec {
  float v[16];
};

template <class F>
inline vec each(F f) {
  vec r;
  for (auto i = 0; i < 16; ++i)
    r.v[i] = f(i);
  return r;
}

inline vec splat(float x) {
  return each([x](int) { return x; });
}
inline vec zero() {
  return splat(0.f);
}
inline vec load(const float* p) {
  return each([p](int i) { return p[i]; });
}
inline void store(float* p, const vec& a) {
  std::memcpy(p, a.v, sizeof(a.v));
}
inline vec add(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] + b.v[i]; });
}
inline vec sub(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] - b.v[i]; });
}
inline vec mul(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] * b.v[i]; });
}
inline vec div(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] / b.v[i]; });
}
inline vec fma(const vec& a, const vec& b, const vec& c) {
  return each([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
// The second one if either is a NaN, as x86 has it.
inline vec smaller(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
inline vec larger(const vec& a, const vec& b) {
  return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline vec keep(const vec& a, uint32_t n, float fill) {
  return each(
      [&](int i) { return static_cast<uint32_t>(i) < n ? a.v[i] : fill; });
}
inline vec keep_from(const vec& a, uint32_t n, float fill) {
  return each(
      [&](int i) { return static_cast<uint32_t>(i) < n ? fill : a.v[i]; });
}
inline vec power_of_two(const vec& t) {
  return each([&](int i) {
    return std::bit_cast<float>((std::bit_cast<uint32_t>(t.v[i]) + 127) << 23);
  });
}
inline float first_lane(const vec& a) {
  return a.v[0];
}

inline float largest(const vec& a) {
  auto pick = [](float x, float y) { return x > y ? x : y; };
  auto b = a;
  for (auto half = 8; half > 0; half /= 2)
    for (auto i = 0; i < half; ++i)
      b.v[i] = pick(b.v[i], b.v[i + half]);
  return b.v[0];
}

inline float sum(vec a) {
  for (auto half = 8; half > 0; half /= 2)
    for (auto i = 0; i < half; ++i)
      a.v[i] += a.v[i + half];
  return a.v[0];
}

inline void sum4(const vec& a, const vec& b, const vec& c, const vec& d,
                 float* out) {
  out[0] = sum(a);
  out[1] = sum(b);
  out[2] = sum(c);
  out[3] = sum(d);
}

inline vec load_f32(const std::byte* p) {
  vec r;
  std::memcpy(r.v, p, sizeof(r.v));
  return r;
}
inline vec load_f16(const std::byte* p) {
  return each(
      [p](int i) { return f16_to_f32(load_unaligned<uint16_t>(p + 2 * i)); });
}
inline vec load_bf16(const std::byte* p) {
  return each(
      [p](int i) { return bf16_to_f32(load_unaligned<uint16_t>(p + 2 * i)); });
}
inline vec load_i8(const std::byte* p) {
  return each(
      [p](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
}
inline float half_at(const std::byte* p) {
  return f16_to_f32(load_unaligned<uint16_t>(p));
}

// Levels of up to 8 bits; kernels_x86.hpp says what is done with them.
struct levels {
  int v[16];
};

template <class F>
inline levels each_level(F f) {
  levels r;
  for (auto i = 0; i < 16; ++i)
    r.v[i] = f(i);
  return r;
}

inline levels pick(const std::byte* p, int shift, int mask) {
  return each_level(
      [=](int i) { return std::to_integer<int>(p[i]) >> shift & mask; });
}
inline levels spread(const std::byte* p) {
  auto bits = load_unaligned<uint16_t>(p);
  return each_level([=](int i) { return bits >> i & 1; });
}
inline levels with_fifth(const levels& low, const levels& high) {
  return each_level([&](int i) { return low.v[i] | high.v[i] << 4; });
}
inline levels minus(const levels& q, int x) {
  return each_level([&](int i) { return q.v[i] - x; });
}
inline vec widen(const levels& q) {
  return each([&](int i) { return static_cast<float>(q.v[i]); });
}
inline void store_f16(std::byte* p, const vec& a) {
  for (auto i = 0; i < 16; ++i) {
    auto h = f32_to_f16(a.v[i]);
    std::memcpy(p + 2 * i, &h, sizeof(h));
  }
}

} // namespace

} // namespace troupe
