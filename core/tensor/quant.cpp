#include "core/tensor/quant.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"

namespace troupe {

namespace {

constexpr uint32_t block = 32;

void store_half(float x, std::byte* to) {
  auto h = f32_to_f16(x);
  std::memcpy(to, &h, sizeof(h));
}

float load_half(const std::byte* from) {
  return f16_to_f32(load_unaligned<uint16_t>(from));
}

void decode_q8_0(const std::byte* from, float* out) {
  auto scale = load_half(from);
  for (auto i = 0u; i < block; ++i)
    out[i] = scale * static_cast<float>(static_cast<int8_t>(from[2 + i]));
}

// Byte i holds value i in its low nibble and value i + 16 in its high one.
void decode_q4_0(const std::byte* from, float* out) {
  auto scale = load_half(from);
  for (auto i = 0u; i < block / 2; ++i) {
    auto both = std::to_integer<int>(from[2 + i]);
    out[i] = scale * static_cast<float>((both & 15) - 8);
    out[i + block / 2] = scale * static_cast<float>((both >> 4) - 8);
  }
}

void encode_q8_0(const float* in, std::byte* to) {
  auto largest = 0.f;
  for (auto i = 0u; i < block; ++i)
    largest = std::max(largest, std::fabs(in[i]));
  auto scale = largest / 127.f;
  auto inverse = scale > 0.f ? 1.f / scale : 0.f;
  if (!std::isfinite(inverse)) // a subnormal scale, which float16 stores as 0
    inverse = 0.f;
  store_half(scale, to);
  for (auto i = 0u; i < block; ++i) {
    auto q = std::clamp(std::round(in[i] * inverse), -127.f, 127.f);
    to[2 + i] = static_cast<std::byte>(static_cast<int8_t>(q));
  }
}

void encode_q4_0(const float* in, std::byte* to) {
  auto extreme = 0.f; // the value of largest magnitude, with its sign
  for (auto i = 0u; i < block; ++i)
    if (std::fabs(in[i]) > std::fabs(extreme))
      extreme = in[i];
  auto scale = extreme / -8.f;
  auto inverse = scale != 0.f ? 1.f / scale : 0.f;
  if (!std::isfinite(inverse))
    inverse = 0.f;
  store_half(scale, to);
  auto nibble = [inverse](float x) {
    auto q = std::clamp(std::floor(x * inverse + 8.5f), 0.f, 15.f);
    return static_cast<unsigned>(q);
  };
  for (auto i = 0u; i < block / 2; ++i)
    to[2 + i] =
        static_cast<std::byte>(nibble(in[i]) | nibble(in[i + block / 2]) << 4);
}

} // namespace

void dequantize_row(dtype t, const std::byte* row, uint32_t n, float* out) {
  assert(n % block_values(t) == 0);
  switch (t) {
  case dtype::f32:
    std::memcpy(out, row, size_t{n} * sizeof(float));
    return;
  case dtype::f16:
    for (auto i = size_t{0}; i < n; ++i)
      out[i] = load_half(row + 2 * i);
    return;
  case dtype::bf16:
    for (auto i = size_t{0}; i < n; ++i)
      out[i] = bf16_to_f32(load_unaligned<uint16_t>(row + 2 * i));
    return;
  case dtype::q8_0:
    for (auto i = size_t{0}; i < n; i += block, row += block_bytes(t))
      decode_q8_0(row, out + i);
    return;
  case dtype::q4_0:
    for (auto i = size_t{0}; i < n; i += block, row += block_bytes(t))
      decode_q4_0(row, out + i);
    return;
  }
}

void quantize_row(dtype t, const float* in, uint32_t n, std::byte* row) {
  assert(n % block_values(t) == 0);
  switch (t) {
  case dtype::f32:
    std::memcpy(row, in, size_t{n} * sizeof(float));
    return;
  case dtype::f16:
    for (auto i = size_t{0}; i < n; ++i)
      store_half(in[i], row + 2 * i);
    return;
  case dtype::bf16:
    for (auto i = size_t{0}; i < n; ++i) {
      auto b = f32_to_bf16(in[i]);
      std::memcpy(row + 2 * i, &b, sizeof(b));
    }
    return;
  case dtype::q8_0:
    for (auto i = size_t{0}; i < n; i += block, row += block_bytes(t))
      encode_q8_0(in + i, row);
    return;
  case dtype::q4_0:
    for (auto i = size_t{0}; i < n; i += block, row += block_bytes(t))
      encode_q4_0(in + i, row);
    return;
  }
}

} // namespace troupe
