#include "core/tensor/pack_block.hpp"

#include <cstring>

#include "core/base/bytes.hpp"
#include "core/tensor/pack.hpp"
#include "core/tensor/quant_k.hpp"

namespace troupe {

namespace {

constexpr auto line = size_t{4} * panel_outputs; // of four inputs, bytes

void put(uint32_t four, std::byte* to) {
  std::memcpy(to, &four, sizeof(four));
}

void put_half(uint16_t h, uint32_t o, std::byte* to) {
  std::memcpy(to + size_t{2} * o, &h, sizeof(h));
}

void copy_half(const std::byte* from, uint32_t o, std::byte* to) {
  std::memcpy(to + size_t{2} * o, from, 2);
}

// -- levels of 32 inputs, one a byte ------------------------------------------

uint32_t four_of(const uint8_t* q, uint32_t i) {
  uint32_t four;
  std::memcpy(&four, q + size_t{4} * i, sizeof(four));
  return four;
}

void put_nibbles(const uint8_t* q, uint32_t o, std::byte* to) {
  constexpr auto low = 0x0f0f0f0fu;
  for (auto i = 0u; i < 4; ++i)
    put((four_of(q, 2 * i) & low) | (four_of(q, 2 * i + 1) & low) << 4,
        to + i * line + size_t{4} * o);
}

void put_five_bits(const uint8_t* q, uint32_t o, std::byte* to) {
  put_nibbles(q, o, to);
  auto fifth = uint32_t{0};
  for (auto i = 0u; i < 8; ++i)
    fifth |= (four_of(q, i) >> 4 & 0x01010101u) << i;
  put(fifth, to + 4 * line + size_t{4} * o);
}

void put_six_bits(const uint8_t* q, uint32_t o, std::byte* to) {
  put_nibbles(q, o, to);
  for (auto half = 0u; half < 2; ++half) {
    auto upper = uint32_t{0};
    for (auto i = 0u; i < 4; ++i)
      upper |= (four_of(q, 4 * half + i) >> 4 & 0x03030303u) << 2 * i;
    put(upper, to + (4 + half) * line + size_t{4} * o);
  }
}

struct levels {
  uint8_t q[32];
};

// A block's byte i holds input i in its low nibble and 16 + i in its high one.
levels from_nibbles(const std::byte* both) {
  levels to;
  for (auto i = 0u; i < 16; ++i) {
    to.q[i] = std::to_integer<uint8_t>(both[i] & std::byte{15});
    to.q[16 + i] = std::to_integer<uint8_t>(both[i] >> 4);
  }
  return to;
}

levels from_nibbles(const std::byte* both, uint32_t fifth) {
  auto to = from_nibbles(both);
  for (auto i = 0u; i < 32; ++i)
    to.q[i] |= static_cast<uint8_t>((fifth >> i & 1) << 4);
  return to;
}

// -- blocks -------------------------------------------------------------------

void pack_q8_0(const std::byte* block, uint32_t o, std::byte* to) {
  copy_half(block, o, to);
  for (auto i = 0u; i < 8; ++i)
    put(load_unaligned<uint32_t>(block + 2 + 4 * i) ^ 0x80808080u, // + 128
        to + 64 + i * line + size_t{4} * o);
}

void pack_q4_0(const std::byte* block, uint32_t o, std::byte* to) {
  copy_half(block, o, to);
  put_nibbles(from_nibbles(block + 2).q, o, to + 64);
}

void pack_q4_1(const std::byte* block, uint32_t o, std::byte* to) {
  copy_half(block, o, to);
  copy_half(block + 2, o, to + 64);
  put_nibbles(from_nibbles(block + 4).q, o, to + 128);
}

void pack_q5_0(const std::byte* block, uint32_t o, std::byte* to) {
  copy_half(block, o, to);
  auto fifth = load_unaligned<uint32_t>(block + 2);
  put_five_bits(from_nibbles(block + 6, fifth).q, o, to + 64);
}

void pack_q5_1(const std::byte* block, uint32_t o, std::byte* to) {
  copy_half(block, o, to);
  copy_half(block + 2, o, to + 64);
  auto fifth = load_unaligned<uint32_t>(block + 4);
  put_five_bits(from_nibbles(block + 8, fifth).q, o, to + 128);
}

// Returns where the first group goes.
std::byte* put_units(const q45_k_parts& b, uint32_t o, std::byte* to) {
  put_half(b.d, o, to);
  put_half(b.e, o, to + 64);
  return to + 128;
}

// Returns where the levels go.
std::byte* put_step(const q45_k_parts& b, uint32_t i, uint32_t o,
                    std::byte* to) {
  to[o] = std::byte{b.scale[i]};
  to[panel_outputs + o] = std::byte{b.min[i]};
  return to + 64;
}

void pack_q4_k(const std::byte* block, uint32_t o, std::byte* to) {
  auto b = split_q4_k(block);
  to = put_units(b, o, to);
  for (auto i = 0u; i < 8; ++i, to += 64 + 4 * line)
    put_nibbles(b.level + 32 * i, o, put_step(b, i, o, to));
}

void pack_q5_k(const std::byte* block, uint32_t o, std::byte* to) {
  auto b = split_q5_k(block);
  to = put_units(b, o, to);
  for (auto i = 0u; i < 8; ++i, to += 64 + 5 * line)
    put_five_bits(b.level + 32 * i, o, put_step(b, i, o, to));
}

void pack_q6_k(const std::byte* block, uint32_t o, std::byte* to) {
  auto b = split_q6_k(block);
  put_half(b.d, o, to);
  to += 64;
  for (auto i = 0u; i < 8; ++i, to += 64 + 6 * line) {
    to[o] = static_cast<std::byte>(b.scale[2 * i]);
    to[panel_outputs + o] = static_cast<std::byte>(b.scale[2 * i + 1]);
    put_six_bits(b.level + 32 * i, o, to + 64);
  }
}

} // namespace

pack_block packer_of(dtype t) {
  switch (t) {
  case dtype::q8_0:
    return pack_q8_0;
  case dtype::q4_0:
    return pack_q4_0;
  case dtype::q4_1:
    return pack_q4_1;
  case dtype::q5_0:
    return pack_q5_0;
  case dtype::q5_1:
    return pack_q5_1;
  case dtype::q4_k:
    return pack_q4_k;
  case dtype::q5_k:
    return pack_q5_k;
  case dtype::q6_k:
    return pack_q6_k;
  case dtype::f32:
  case dtype::f16:
  case dtype::bf16:
    break;
  }
  return nullptr;
}

} // namespace troupe
