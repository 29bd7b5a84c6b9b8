#pragma once

#include <cstddef>

namespace troupe {

// The encodings of 256 values a block, plainly; `dtype` says what they hold.
// One block each.

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
