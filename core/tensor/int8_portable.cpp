#include <cmath>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"

namespace troupe {

namespace {

constexpr auto lanes = 8;
constexpr auto tile_vectors = 1;
constexpr auto tile_rows = 1;

struct floats {
  float v[lanes];
};
struct ints {
  int32_t v[lanes];
};
/// Four bytes for each output.
struct weights {
  ints four;
};
struct inputs {
  int32_t x[4];
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
inline floats splat(const float* p) {
  return each<floats>([p](int) { return *p; });
}
inline floats zero() {
  return each<floats>([](int) { return 0.f; });
}
inline floats add(const floats& a, const floats& b) {
  return each<floats>([&](int i) { return a.v[i] + b.v[i]; });
}
inline floats mul(const floats& a, const floats& b) {
  return each<floats>([&](int i) { return a.v[i] * b.v[i]; });
}
inline floats fma(const floats& a, const floats& b, const floats& c) {
  return each<floats>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
inline floats load_halves(const std::byte* p) {
  return each<floats>(
      [p](int i) { return f16_to_f32(load_unaligned<uint16_t>(p + 2 * i)); });
}
inline floats to_floats(const ints& a) {
  return each<floats>([&](int i) { return static_cast<float>(a.v[i]); });
}

inline ints zero_ints() {
  return each<ints>([](int) { return 0; });
}
inline ints splat(const int32_t* p) {
  return each<ints>([p](int) { return *p; });
}
inline ints times_256_plus(const ints& a, const ints& b) {
  return each<ints>([&](int i) { return a.v[i] * 256 + b.v[i]; });
}
inline ints load_bytes(const std::byte* p) {
  return each<ints>([p](int i) { return load_unaligned<int32_t>(p + 4 * i); });
}
template <int J>
inline ints load_nibbles(const std::byte* p) {
  return each<ints>([p](int i) {
    return load_unaligned<int32_t>(p + 4 * i) >> (4 * J) & 0x0f0f0f0f;
  });
}

// low | bytes at p, shifted up (or down, if negative), & mask
template <int Up>
inline ints with_bits(const ints& low, const std::byte* p, char mask) {
  return each<ints>([&](int i) {
    auto bits = load_unaligned<uint32_t>(p + 4 * i);
    bits = Up >= 0 ? bits << (Up >= 0 ? Up : 0) : bits >> (Up >= 0 ? 0 : -Up);
    bits &= 0x01010101u * static_cast<unsigned char>(mask);
    return low.v[i] | static_cast<int32_t>(bits);
  });
}
template <int N>
inline ints shift_right(const ints& a) {
  return each<ints>([&](int i) { return a.v[i] >> N; });
}
inline ints add(const ints& a, const ints& b) {
  return each<ints>([&](int i) { return a.v[i] + b.v[i]; });
}
inline ints sub(const ints& a, const ints& b) {
  return each<ints>([&](int i) { return a.v[i] - b.v[i]; });
}
inline floats load_small(const std::byte* p) {
  return each<floats>(
      [p](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
}

inline weights as_weights(const ints& w) {
  return {w};
}
inline inputs splat_inputs(const int8_t* p) {
  return {{p[0], p[1], p[2], p[3]}};
}
inline ints dot(const ints& sum, const weights& w, const inputs& x) {
  return each<ints>([&](int i) {
    auto four = static_cast<uint32_t>(w.four.v[i]);
    auto byte = [four](int j) {
      return static_cast<int32_t>(four >> (8 * j) & 255);
    };
    return sum.v[i] + byte(0) * x.x[0] + byte(1) * x.x[1] + byte(2) * x.x[2]
           + byte(3) * x.x[3];
  });
}

} // namespace

} // namespace troupe

#include "core/tensor/int8_impl.hpp"

namespace troupe {

extern const int8_kernels portable_int8;
const int8_kernels portable_int8{"portable", quantise, multiply};

} // namespace troupe
