#include "core/attention/store_kv.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace troupe {

namespace {

/// Where numbers go: `step` bytes from one to the next.
struct target {
  std::byte* at;
  size_t step;
};

void put(target to, size_t i, const void* number, size_t bytes) {
  std::memcpy(to.at + i * to.step, number, bytes);
}

void store_f32(const float* x, uint32_t n, target to) {
  if (to.step == sizeof(float)) {
    std::memcpy(to.at, x, n * sizeof(float));
    return;
  }
  for (auto i = uint32_t{0}; i < n; ++i)
    put(to, i, x + i, sizeof(float));
}

void store_f16(const kernels& fast, const float* x, uint32_t n, target to) {
  if (to.step == sizeof(uint16_t)) {
    fast.to_f16(x, n, to.at);
    return;
  }
  constexpr auto at_once = uint32_t{256};
  uint16_t halves[at_once];
  for (auto done = uint32_t{0}; done < n; done += at_once) {
    auto some = std::min(at_once, n - done);
    fast.to_f16(x + done, some, reinterpret_cast<std::byte*>(halves));
    for (auto i = uint32_t{0}; i < some; ++i)
      put(to, done + i, halves + i, sizeof(uint16_t));
  }
}

/// The factor of x, or a NaN.
float factor_of(const float* x, uint32_t n) {
  auto most = 0.f;
  auto finite = true;
  for (auto i = uint32_t{0}; i < n; ++i) {
    auto a = std::abs(x[i]);
    finite = finite && a <= std::numeric_limits<float>::max();
    most = std::max(most, a);
  }
  return finite ? most / 127 : std::numeric_limits<float>::quiet_NaN();
}

void store_i8(const float* x, uint32_t n, target to, std::byte* factor) {
  constexpr auto magic = 12582912.f; // 1.5 * 2^23: adding it rounds to integer
  auto step = factor_of(x, n);
  auto inverse = 1 / step;
  // Nothing, next to nothing or not a number.
  if (!(inverse <= std::numeric_limits<float>::max())) {
    step = step > 0 ? 0.f : step;
    inverse = 0;
  }
  std::memcpy(factor, &step, sizeof(step));
  for (auto i = uint32_t{0}; i < n; ++i) {
    auto rounded = inverse == 0 ? 0.f : x[i] * inverse + magic - magic;
    auto q = static_cast<int8_t>(std::clamp(rounded, -127.f, 127.f));
    put(to, i, &q, 1);
  }
}

void store(const kernels& fast, kv_dtype t, const float* x, uint32_t n,
           target to, std::byte* factor) {
  switch (t) {
  case kv_dtype::f32:
    return store_f32(x, n, to);
  case kv_dtype::f16:
    return store_f16(fast, x, n, to);
  case kv_dtype::i8:
    return store_i8(x, n, to, factor);
  }
}

} // namespace

void store_key(const kernels& fast, const kv_layout& layout, const float* k,
               uint32_t row, std::byte* keys) {
  auto size = size_t{value_bytes(layout.dtype)};
  auto to = layout.has_values()
                ? target{keys + row * size, kv_block_tokens * size}
                : target{keys + row * layout.k_width() * size, size};
  store(fast, layout.dtype, k, layout.k_dim, to,
        keys + layout.k_factors() + row * sizeof(float));
}

void store_value(const kernels& fast, const kv_layout& layout, const float* v,
                 uint32_t row, std::byte* values) {
  auto size = size_t{value_bytes(layout.dtype)};
  auto to = target{values + row * layout.v_width() * size, size};
  store(fast, layout.dtype, v, layout.v_dim, to,
        values + layout.v_factors() + row * sizeof(float));
}

} // namespace troupe
