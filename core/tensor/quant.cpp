#include "core/tensor/quant.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"
#include "core/tensor/quant_k.hpp"

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

void decode_q4_1(const std::byte* from, float* out) {
  auto scale = load_half(from);
  auto min = load_half(from + 2);
  for (auto i = 0u; i < block / 2; ++i) {
    auto both = std::to_integer<int>(from[4 + i]);
    out[i] = scale * static_cast<float>(both & 15) + min;
    out[i + block / 2] = scale * static_cast<float>(both >> 4) + min;
  }
}

// Level i of a block whose fifth bits are `fifth` and whose nibbles lie as
// those of q4_0.
int level_of_5(uint32_t fifth, const std::byte* nibbles, uint32_t i) {
  auto both = std::to_integer<int>(nibbles[i % (block / 2)]);
  auto low = i < block / 2 ? both & 15 : both >> 4;
  return low | static_cast<int>(fifth >> i & 1) << 4;
}

void decode_q5_0(const std::byte* from, float* out) {
  auto scale = load_half(from);
  auto fifth = load_unaligned<uint32_t>(from + 2);
  for (auto i = 0u; i < block; ++i)
    out[i] = scale * static_cast<float>(level_of_5(fifth, from + 6, i) - 16);
}

void decode_q5_1(const std::byte* from, float* out) {
  auto scale = load_half(from);
  auto min = load_half(from + 2);
  auto fifth = load_unaligned<uint32_t>(from + 4);
  for (auto i = 0u; i < block; ++i)
    out[i] = scale * static_cast<float>(level_of_5(fifth, from + 8, i)) + min;
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

// 32 levels of up to 5 bits: the nibbles as q4_0 has them, and the fifth bits.
struct levels {
  uint32_t fifth = 0;
  std::byte nibbles[block / 2] = {};

  void put(uint32_t i, unsigned q) {
    auto low = (q & 15) << (i < block / 2 ? 0 : 4);
    nibbles[i % (block / 2)] |= static_cast<std::byte>(low);
    fifth |= q >> 4 << i;
  }
};

// Levels around `middle`, the lowest of which is the value of largest
// magnitude: sets the scale that `to` starts with.
levels encode_around(const float* in, float middle, std::byte* to) {
  auto extreme = 0.f; // with its sign
  for (auto i = 0u; i < block; ++i)
    if (std::fabs(in[i]) > std::fabs(extreme))
      extreme = in[i];
  auto scale = extreme / -middle;
  auto inverse = scale != 0.f ? 1.f / scale : 0.f;
  if (!std::isfinite(inverse))
    inverse = 0.f;
  store_half(scale, to);
  auto all = levels{};
  for (auto i = 0u; i < block; ++i) {
    auto q = std::floor(in[i] * inverse + middle + 0.5f);
    all.put(i, static_cast<unsigned>(std::clamp(q, 0.f, 2 * middle - 1)));
  }
  return all;
}

// Levels from the least value, 0, to the greatest, `most`: sets the scale and
// the minimum that `to` starts with.
levels encode_between(const float* in, float most, std::byte* to) {
  auto [low, high] = std::minmax_element(in, in + block);
  auto min = *low;
  auto scale = (*high - min) / most;
  auto inverse = scale > 0.f ? 1.f / scale : 0.f;
  if (!std::isfinite(inverse))
    inverse = 0.f;
  store_half(scale, to);
  store_half(min, to + 2);
  auto all = levels{};
  for (auto i = 0u; i < block; ++i) {
    auto q = std::floor((in[i] - min) * inverse + 0.5f);
    all.put(i, static_cast<unsigned>(std::clamp(q, 0.f, most)));
  }
  return all;
}

void encode_q4_0(const float* in, std::byte* to) {
  auto all = encode_around(in, 8.f, to);
  std::memcpy(to + 2, all.nibbles, sizeof(all.nibbles));
}

void encode_q4_1(const float* in, std::byte* to) {
  auto all = encode_between(in, 15.f, to);
  std::memcpy(to + 4, all.nibbles, sizeof(all.nibbles));
}

void encode_q5_0(const float* in, std::byte* to) {
  auto all = encode_around(in, 16.f, to);
  std::memcpy(to + 2, &all.fifth, sizeof(all.fifth));
  std::memcpy(to + 6, all.nibbles, sizeof(all.nibbles));
}

void encode_q5_1(const float* in, std::byte* to) {
  auto all = encode_between(in, 31.f, to);
  std::memcpy(to + 4, &all.fifth, sizeof(all.fifth));
  std::memcpy(to + 8, all.nibbles, sizeof(all.nibbles));
}

using decode_block = void (*)(const std::byte*, float*);
using encode_block = void (*)(const float*, std::byte*);

void decode_blocks(decode_block decode, dtype t, const std::byte* row,
                   uint32_t n, float* out) {
  for (auto i = size_t{0}; i < n; i += block_values(t), row += block_bytes(t))
    decode(row, out + i);
}

void encode_blocks(encode_block encode, dtype t, const float* in, uint32_t n,
                   std::byte* row) {
  for (auto i = size_t{0}; i < n; i += block_values(t), row += block_bytes(t))
    encode(in + i, row);
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
  case dtype::q4_0:
    return decode_blocks(decode_q4_0, t, row, n, out);
  case dtype::q4_1:
    return decode_blocks(decode_q4_1, t, row, n, out);
  case dtype::q5_0:
    return decode_blocks(decode_q5_0, t, row, n, out);
  case dtype::q5_1:
    return decode_blocks(decode_q5_1, t, row, n, out);
  case dtype::q8_0:
    return decode_blocks(decode_q8_0, t, row, n, out);
  case dtype::q4_k:
    return decode_blocks(decode_q4_k, t, row, n, out);
  case dtype::q5_k:
    return decode_blocks(decode_q5_k, t, row, n, out);
  case dtype::q6_k:
    return decode_blocks(decode_q6_k, t, row, n, out);
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
  case dtype::q4_0:
    return encode_blocks(encode_q4_0, t, in, n, row);
  case dtype::q4_1:
    return encode_blocks(encode_q4_1, t, in, n, row);
  case dtype::q5_0:
    return encode_blocks(encode_q5_0, t, in, n, row);
  case dtype::q5_1:
    return encode_blocks(encode_q5_1, t, in, n, row);
  case dtype::q8_0:
    return encode_blocks(encode_q8_0, t, in, n, row);
  case dtype::q4_k:
    return encode_blocks(encode_q4_k, t, in, n, row);
  case dtype::q5_k:
    return encode_blocks(encode_q5_k, t, in, n, row);
  case dtype::q6_k:
    return encode_blocks(encode_q6_k, t, in, n, row);
  }
}

} // namespace troupe
