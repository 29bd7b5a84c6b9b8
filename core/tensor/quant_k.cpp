#include "core/tensor/quant_k.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/tensor/half.hpp"

namespace troupe {

namespace {

constexpr auto block = 256;
constexpr auto group = 32; // values that share a scale in q4_k and q5_k
constexpr auto groups = block / group;
constexpr auto part = 16; // the same in q6_k
constexpr auto parts = block / part;

// Returns what reading it will give.
float store_half(float x, std::byte* to) {
  auto h = f32_to_f16(x);
  std::memcpy(to, &h, sizeof(h));
  return f16_to_f32(h);
}

int number(std::byte b) {
  return std::to_integer<int>(b);
}

// -- q4_k, q5_k: eight pairs of 6 bits in 12 bytes ----------------------------

// Bytes 0 to 3 hold scales 0 to 3 and, in their upper two bits, the upper bits
// of scales 4 to 7; bytes 4 to 7 the same of the minima; bytes 8 to 11 the
// lower four bits of scales (low nibble) and minima 4 to 7.
struct step {
  int scale;
  int min;
};

step load_step(const std::byte* from, int i) {
  if (i < 4)
    return {number(from[i]) & 63, number(from[i + 4]) & 63};
  auto low = number(from[i + 4]);
  return {(low & 15) | number(from[i - 4]) >> 6 << 4,
          low >> 4 | number(from[i]) >> 6 << 4};
}

void store_steps(const step (&steps)[groups], std::byte* to) {
  for (auto i = 0; i < 4; ++i) {
    auto& low = steps[i];
    auto& high = steps[i + 4];
    to[i] = static_cast<std::byte>(low.scale | high.scale >> 4 << 6);
    to[i + 4] = static_cast<std::byte>(low.min | high.min >> 4 << 6);
    to[i + 8] =
        static_cast<std::byte>((high.scale & 15) | (high.min & 15) << 4);
  }
}

// Byte 32 (i / 2) + j of the nibbles holds value j of group i in its low
// nibble if i is even, else in its high one; bit i of byte j of `fifth` is the
// fifth bit of that value.
q45_k_parts split_steps(const std::byte* from, const std::byte* fifth,
                        const std::byte* nibbles) {
  q45_k_parts to;
  to.d = load_unaligned<uint16_t>(from);
  to.e = load_unaligned<uint16_t>(from + 2);
  for (auto i = 0; i < groups; ++i) {
    auto s = load_step(from + 4, i);
    to.scale[i] = static_cast<uint8_t>(s.scale);
    to.min[i] = static_cast<uint8_t>(s.min);
    for (auto j = 0; j < group; ++j) {
      auto q = number(nibbles[i / 2 * group + j]) >> i % 2 * 4 & 15;
      if (fifth != nullptr)
        q |= (number(fifth[j]) >> i & 1) << 4;
      to.level[i * group + j] = static_cast<uint8_t>(q);
    }
  }
  return to;
}

void decode(const q45_k_parts& b, float* out) {
  for (auto i = 0; i < groups; ++i) {
    auto scale = f16_to_f32(b.d) * static_cast<float>(b.scale[i]);
    auto min = f16_to_f32(b.e) * static_cast<float>(b.min[i]);
    for (auto j = i * group; j < (i + 1) * group; ++j)
      out[j] = scale * static_cast<float>(b.level[j]) - min;
  }
}

// Sums in lanes, which the compiler can put into vectors.
constexpr auto lanes = 8;
using partial_sums = std::array<float, lanes>;

float total(const partial_sums& s) {
  return ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
}

// x is about scale * q - min, with neither of them negative.
struct line {
  float scale = 0;
  float min = 0;
};

// `x` + min in steps, to the nearest of 0 to `most`.
float level(float x, float min, float inverse, float most) {
  // Truncation rounds what is not negative, and is an instruction.
  auto q = std::clamp((x + min) * inverse, 0.f, most);
  return static_cast<float>(static_cast<int>(q + 0.5f));
}

float error_of(const float* x, const float* weight, line l, float most) {
  auto inverse = l.scale > 0.f ? 1.f / l.scale : 0.f;
  if (!std::isfinite(inverse))
    inverse = 0.f;
  auto sum = partial_sums{};
  for (auto i = 0; i < group; i += lanes)
    for (auto j = 0; j < lanes; ++j) {
      auto at = x[i + j];
      auto off = l.scale * level(at, l.min, inverse, most) - l.min - at;
      sum[j] += weight[i + j] * off * off;
    }
  return total(sum);
}

// The line of least squares through the levels that steps of 1 / inverse give.
line fitted(const float* x, const float* weight, float min, float inverse,
            float most) {
  auto ws = partial_sums{}, wqs = ws, wqqs = ws, wxs = ws, wxqs = ws;
  for (auto i = 0; i < group; i += lanes)
    for (auto j = 0; j < lanes; ++j) {
      auto q = level(x[i + j], min, inverse, most);
      auto v = weight[i + j];
      ws[j] += v;
      wqs[j] += v * q;
      wqqs[j] += v * q * q;
      wxs[j] += v * x[i + j];
      wxqs[j] += v * x[i + j] * q;
    }
  auto w = total(ws), wq = total(wqs), wqq = total(wqqs), wx = total(wxs),
       wxq = total(wxqs);
  auto determinant = w * wqq - wq * wq;
  if (determinant > 0.f) {
    auto l = line{(w * wxq - wx * wq) / determinant,
                  (wq * wxq - wqq * wx) / determinant};
    if (l.min >= 0.f && l.scale > 0.f)
      return l;
  }
  return {wqq > 0.f ? std::max(wxq / wqq, 0.f) : 0.f, 0.f};
}

line best_line(const float* x, const float* weight, float most) {
  auto [low, high] = std::minmax_element(x, x + group);
  auto min = std::max(-*low, 0.f);
  auto range = *high + min;
  if (!(range > 0.f))
    return {0.f, min};
  auto best = line{range / most, min};
  auto least = error_of(x, weight, best, most);
  for (auto i = -10; i <= 10; ++i) {
    auto inverse = (most + 0.1f * static_cast<float>(i)) / range;
    if (!std::isfinite(inverse))
      break;
    auto l = fitted(x, weight, min, inverse, most);
    auto error = error_of(x, weight, l, most);
    if (error < least) {
      least = error;
      best = l;
    }
  }
  return best;
}

// Values of larger magnitude matter more to what a product comes to.
void weigh(const float* x, int n, float* weight) {
  auto squares = 0.f;
  for (auto i = 0; i < n; ++i)
    squares += x[i] * x[i];
  auto usual = std::sqrt(squares / static_cast<float>(n));
  for (auto i = 0; i < n; ++i)
    weight[i] = usual + std::fabs(x[i]);
}

int rounded_to(float x, float step, int least, int most) {
  auto q = step != 0.f ? std::round(x / step) : 0.f;
  return static_cast<int>(
      std::clamp(q, static_cast<float>(least), static_cast<float>(most)));
}

// Writes d, e and the steps; the levels go to `q`.
void encode_steps(const float* in, float most, std::byte* to,
                  uint8_t (&q)[block]) {
  float weight[block];
  line lines[groups];
  auto largest = line{};
  for (auto i = 0; i < groups; ++i) {
    weigh(in + i * group, group, weight + i * group);
    lines[i] = best_line(in + i * group, weight + i * group, most);
    largest.scale = std::max(largest.scale, lines[i].scale);
    largest.min = std::max(largest.min, lines[i].min);
  }
  auto d = store_half(largest.scale / 63.f, to);
  auto e = store_half(largest.min / 63.f, to + 2);
  step steps[groups];
  for (auto i = 0; i < groups; ++i) {
    auto* x = in + i * group;
    auto line_of = [d, e](step s) {
      return line{d * static_cast<float>(s.scale),
                  e * static_cast<float>(s.min)};
    };
    auto near = step{rounded_to(lines[i].scale, d, 0, 63),
                     rounded_to(lines[i].min, e, 0, 63)};
    auto best = near;
    auto least = error_of(x, weight + i * group, line_of(near), most);
    for (auto scale = std::max(near.scale - 1, 0);
         scale <= std::min(near.scale + 1, 63); ++scale)
      for (auto min = std::max(near.min - 1, 0);
           min <= std::min(near.min + 1, 63); ++min) {
        auto s = step{scale, min};
        auto error = error_of(x, weight + i * group, line_of(s), most);
        if (error < least) {
          least = error;
          best = s;
        }
      }
    steps[i] = best;
    auto l = line_of(best);
    auto inverse = l.scale > 0.f ? 1.f / l.scale : 0.f;
    for (auto j = 0; j < group; ++j)
      q[i * group + j] =
          static_cast<uint8_t>(level(x[j], l.min, inverse, most));
  }
  store_steps(steps, to + 4);
}

void store_nibbles(const uint8_t (&q)[block], std::byte* to) {
  for (auto i = 0; i < groups; i += 2)
    for (auto j = 0; j < group; ++j)
      to[i / 2 * group + j] = static_cast<std::byte>(
          (q[i * group + j] & 15) | (q[(i + 1) * group + j] & 15) << 4);
}

// -- q6_k ---------------------------------------------------------------------

// Where a value's bits are, in each half of 128: byte j % 64 of the 64 with
// lower bits, its low nibble for j < 64; byte j % 32 of the 32 with upper
// bits, bits 2 (j / 32) and the next.
struct place {
  explicit place(int i)
      : low(i / 128 * 64 + i % 64), low_shift(i % 128 / 64 * 4),
        high(i / 128 * 32 + i % 32), high_shift(i % 128 / 32 * 2) {}
  int low, low_shift, high, high_shift;
};

constexpr auto q6_high = 128;
constexpr auto q6_scales = 192;
constexpr auto q6_d = 208;

float signed_level(float x, float inverse) {
  auto q = std::clamp(x * inverse, -32.f, 31.f);
  return static_cast<float>(static_cast<int>(q + 32.5f) - 32);
}

float inverse_of(float scale) {
  auto inverse = scale != 0.f ? 1.f / scale : 0.f;
  return std::isfinite(inverse) ? inverse : 0.f;
}

float part_error(const float* x, const float* weight, float scale) {
  auto inverse = inverse_of(scale);
  auto sum = partial_sums{};
  for (auto i = 0; i < part; i += lanes)
    for (auto j = 0; j < lanes; ++j) {
      auto off = scale * signed_level(x[i + j], inverse) - x[i + j];
      sum[j] += weight[i + j] * off * off;
    }
  return total(sum);
}

// Scales have the sign that gives the value of largest magnitude level -32.
float best_scale(const float* x, const float* weight) {
  auto extreme = *std::max_element(x, x + part, [](float a, float b) {
    return std::fabs(a) < std::fabs(b);
  });
  if (inverse_of(extreme) == 0.f)
    return 0.f;
  auto best = extreme / -32.f;
  auto least = part_error(x, weight, best);
  for (auto i = -10; i <= 10; ++i) {
    auto inverse = -(32.f + 0.1f * static_cast<float>(i)) / extreme;
    auto wqqs = partial_sums{}, wxqs = wqqs;
    for (auto j = 0; j < part; ++j) {
      auto q = signed_level(x[j], inverse);
      wqqs[j % lanes] += weight[j] * q * q;
      wxqs[j % lanes] += weight[j] * x[j] * q;
    }
    auto wqq = total(wqqs);
    auto scale = wqq > 0.f ? total(wxqs) / wqq : 0.f;
    auto error = part_error(x, weight, scale);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

} // namespace

// -- blocks -------------------------------------------------------------------

q45_k_parts split_q4_k(const std::byte* from) {
  return split_steps(from, nullptr, from + 16);
}

q45_k_parts split_q5_k(const std::byte* from) {
  return split_steps(from, from + 16, from + 48);
}

q6_k_parts split_q6_k(const std::byte* from) {
  q6_k_parts to;
  to.d = load_unaligned<uint16_t>(from + q6_d);
  std::memcpy(to.scale, from + q6_scales, sizeof(to.scale));
  for (auto i = 0; i < block; ++i) {
    auto at = place{i};
    auto q = (number(from[at.low]) >> at.low_shift & 15)
             | (number(from[q6_high + at.high]) >> at.high_shift & 3) << 4;
    to.level[i] = static_cast<uint8_t>(q);
  }
  return to;
}

void decode_q4_k(const std::byte* from, float* out) {
  decode(split_q4_k(from), out);
}

void decode_q5_k(const std::byte* from, float* out) {
  decode(split_q5_k(from), out);
}

void decode_q6_k(const std::byte* from, float* out) {
  auto b = split_q6_k(from);
  for (auto i = 0; i < block; ++i)
    out[i] = f16_to_f32(b.d) * static_cast<float>(b.scale[i / part])
             * static_cast<float>(b.level[i] - 32);
}

void encode_q4_k(const float* in, std::byte* to) {
  uint8_t q[block];
  encode_steps(in, 15.f, to, q);
  store_nibbles(q, to + 16);
}

void encode_q5_k(const float* in, std::byte* to) {
  uint8_t q[block];
  encode_steps(in, 31.f, to, q);
  store_nibbles(q, to + 48);
  for (auto j = 0; j < group; ++j) {
    auto bits = 0;
    for (auto i = 0; i < groups; ++i)
      bits |= q[i * group + j] >> 4 << i;
    to[16 + j] = static_cast<std::byte>(bits);
  }
}

void encode_q6_k(const float* in, std::byte* to) {
  float weight[block];
  float scales[parts];
  auto extreme = 0.f;
  for (auto i = 0; i < parts; ++i) {
    weigh(in + i * part, part, weight + i * part);
    scales[i] = best_scale(in + i * part, weight + i * part);
    if (std::fabs(scales[i]) > std::fabs(extreme))
      extreme = scales[i];
  }
  auto d = store_half(extreme / -128.f, to + q6_d);
  std::fill_n(to, q6_scales, std::byte{0});
  for (auto i = 0; i < parts; ++i) {
    auto* x = in + i * part;
    auto near = rounded_to(scales[i], d, -128, 127);
    auto best = near;
    auto least = part_error(x, weight + i * part, d * static_cast<float>(near));
    for (auto s : {std::max(near - 1, -128), std::min(near + 1, 127)}) {
      auto error = part_error(x, weight + i * part, d * static_cast<float>(s));
      if (error < least) {
        least = error;
        best = s;
      }
    }
    to[q6_scales + i] = static_cast<std::byte>(best);
    auto inverse = inverse_of(d * static_cast<float>(best));
    for (auto j = 0; j < part; ++j) {
      auto at = place{i * part + j};
      auto q = static_cast<int>(signed_level(x[j], inverse)) + 32;
      to[at.low] |= static_cast<std::byte>((q & 15) << at.low_shift);
      to[q6_high + at.high] |= static_cast<std::byte>(q >> 4 << at.high_shift);
    }
  }
}

} // namespace troupe
