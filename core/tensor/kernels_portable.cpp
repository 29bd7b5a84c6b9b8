#include <cmath>
#include <cstring>

#include "core/tensor/half.hpp"
#include "core/tensor/kernels_sets.hpp"

namespace troupe {

namespace {

struct vec {
  float lane[16];
};

constexpr int tile_m = 2;
constexpr int tile_n = 2;

template <class F>
vec each(F f) {
  vec r;
  for (int i = 0; i < 16; ++i)
    r.lane[i] = f(i);
  return r;
}

vec zero() {
  return {};
}
vec set(float x) {
  return each([=](int) { return x; });
}
vec load(const float* p) {
  return each([=](int i) { return p[i]; });
}
vec load_some(const float* p, uint32_t n) {
  return each([=](int i) { return static_cast<uint32_t>(i) < n ? p[i] : 0.f; });
}
void store(float* p, const vec& x) {
  std::memcpy(p, x.lane, sizeof(x.lane));
}
void store_some(float* p, uint32_t n, const vec& x) {
  std::memcpy(p, x.lane, n * sizeof(float));
}
vec fma(const vec& a, const vec& b, const vec& c) {
  return each([&](int i) { return std::fma(a.lane[i], b.lane[i], c.lane[i]); });
}
vec mul(const vec& a, const vec& b) {
  return each([&](int i) { return a.lane[i] * b.lane[i]; });
}
vec add(const vec& a, const vec& b) {
  return each([&](int i) { return a.lane[i] + b.lane[i]; });
}
vec sub(const vec& a, const vec& b) {
  return each([&](int i) { return a.lane[i] - b.lane[i]; });
}
vec div(const vec& a, const vec& b) {
  return each([&](int i) { return a.lane[i] / b.lane[i]; });
}
// The second operand where one is NaN, as x86 has it.
vec max(const vec& a, const vec& b) {
  return each(
      [&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
vec min(const vec& a, const vec& b) {
  return each(
      [&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
vec round(const vec& a) {
  return each([&](int i) { return std::nearbyint(a.lane[i]); });
}
float first_lane(const vec& a) {
  return a.lane[0];
}

// Lanes l + 8, then l + 4, l + 2, l + 1 are added to lanes l.
float sum(vec a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      a.lane[i] += a.lane[i + half];
  return a.lane[0];
}

float largest(vec a) {
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i)
      if (a.lane[i + half] > a.lane[i])
        a.lane[i] = a.lane[i + half];
  return a.lane[0];
}

// p * 2^n, n whole and within float's exponents.
vec scale_by_power(const vec& p, const vec& n) {
  return each([&](int i) {
    auto bits = static_cast<uint32_t>(static_cast<int>(n.lane[i]) + 127) << 23;
    return p.lane[i] * std::bit_cast<float>(bits);
  });
}

vec zero_below(const vec& x, float limit, const vec& y) {
  return each([&](int i) { return x.lane[i] < limit ? 0.f : y.lane[i]; });
}

vec keep_first(const vec& x, uint32_t n, float rest) {
  return each(
      [&](int i) { return static_cast<uint32_t>(i) < n ? x.lane[i] : rest; });
}

uint16_t u16_at(const std::byte* p, int i) {
  uint16_t x;
  std::memcpy(&x, p + 2 * i, sizeof(x));
  return x;
}

vec load_f16(const std::byte* p) {
  return each([=](int i) { return f16_to_f32(u16_at(p, i)); });
}

void store_f16(uint16_t* p, const vec& x) {
  for (int i = 0; i < 16; ++i)
    p[i] = f32_to_f16(x.lane[i]);
}

vec load_bf16(const std::byte* p) {
  return each([=](int i) { return bf16_to_f32(u16_at(p, i)); });
}

float half_at(const std::byte* p) {
  return f16_to_f32(u16_at(p, 0));
}

vec load_i8(const std::byte* p) {
  return each(
      [=](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
}

vec load_low_nibbles(const std::byte* p) {
  return each([=](int i) {
    return static_cast<float>((std::to_integer<int>(p[i]) & 15) - 8);
  });
}

vec load_high_nibbles(const std::byte* p) {
  return each([=](int i) {
    return static_cast<float>((std::to_integer<int>(p[i]) >> 4) - 8);
  });
}

#include "core/tensor/kernels_impl.inl"

} // namespace

const kernels portable_kernels = {"portable", expand,   product_few,
                                  product,    rms_norm, swiglu,
                                  attend,     exp_all,  to_f16};

} // namespace troupe
