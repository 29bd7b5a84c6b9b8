#pragma once

#include <bit>
#include <cstdint>

namespace troupe {

/// IEEE binary16 to binary32; exact. A NaN stays one, and becomes quiet.
inline float f16_to_f32(uint16_t h) {
  auto sign = uint32_t{h & 0x8000u} << 16;
  auto exponent = uint32_t{h} >> 10 & 0x1f;
  auto mantissa = uint32_t{h} & 0x3ff;
  if (exponent == 0x1f) // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13
                                | (mantissa ? 0x400000u : 0u));
  if (exponent == 0) { // zero, subnormal: mantissa * 2^-24
    auto magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

/// binary32 to binary16, to nearest, ties to even; what is too large becomes
/// infinity, a NaN a quiet one.
inline uint16_t f32_to_f16(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  auto sign = bits >> 16 & 0x8000u;
  auto magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)
    return static_cast<uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
  if (magnitude >= 0x477ff000u) // 65520 and up
    return static_cast<uint16_t>(sign | 0x7c00u);
  auto shift = 13u;
  auto mantissa = magnitude - 0x38000000u; // exponent and mantissa together
  if (magnitude < 0x38800000u) {           // below 2^-14: subnormal or zero
    if (magnitude < 0x33000000u)           // below 2^-25
      return static_cast<uint16_t>(sign);
    shift = 126u - (magnitude >> 23);
    mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  }
  auto base = mantissa >> shift;
  auto rest = mantissa & ((1u << shift) - 1);
  auto half = 1u << (shift - 1);
  // A carry out of the mantissa increments the exponent, as it should.
  if (rest > half || (rest == half && (base & 1u)))
    ++base;
  return static_cast<uint16_t>(sign | base);
}

/// bfloat16 is the upper half of a binary32; exact.
inline float bf16_to_f32(uint16_t b) {
  return std::bit_cast<float>(uint32_t{b} << 16);
}

/// binary32 to bfloat16, to nearest, ties to even; a NaN becomes quiet.
inline uint16_t f32_to_bf16(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<uint16_t>(bits >> 16 | 0x40u);
  bits += 0x7fffu + (bits >> 16 & 1u);
  return static_cast<uint16_t>(bits >> 16);
}

} // namespace troupe
