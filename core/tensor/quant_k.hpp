#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe {

// The encodings of 256 values a block, plainly; `dtype` says what they hold.
// One block each.

// Taken apart, with the levels in the order of the values.

/// x = d * scale * level - e * min.
struct q45_k_parts {
  uint16_t d, e;    ///< float16
  uint8_t scale[8]; ///< of 32 values each, 6 bits
  uint8_t min[8];   ///< the same
  uint8_t level[256];
};
q45_k_parts split_q4_k(const std::byte* from);
q45_k_parts split_q5_k(const std::byte* from);

/// x = d * scale * (level - 32).
struct q6_k_parts {
  uint16_t d;       ///< float16
  int8_t scale[16]; ///< of 16 values each
  uint8_t level[256];
};
q6_k_parts split_q6_k(const std::byte* from);

void decode_q4_k(const std::byte* from, float* out);
void decode_q5_k(const std::byte* from, float* out);
void decode_q6_k(const std::byte* from, float* out);

// Scales and minima are searched: of several step sizes that with the least
// weighted square error, where values of larger magnitude weigh more, once its
// scale and minimum are fitted to the levels it gives (least squares); then
// among the neighbours of what rounding to 6 or 8 bits makes of them.

void encode_q4_k(const float* in, std::byte* to);
void encode_q5_k(const float* in, std::byte* to);
void encode_q6_k(const float* in, std::byte* to);

} // namespace troupe
