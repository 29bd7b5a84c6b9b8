#include "core/sampling/logit_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

namespace troupe {

namespace {

// Four lanes are what every x86-64 and ARM64 has.
using lanes = float __attribute__((vector_size(16)));
using int_lanes = int32_t __attribute__((vector_size(16)));
constexpr auto width = size_t{4};
constexpr auto steps = scan_block / width;
constexpr auto lowest = -std::numeric_limits<float>::infinity();

lanes load(const float* from) {
  lanes x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}

void store(float* to, lanes x) {
  std::memcpy(to, &x, sizeof(x));
}

lanes all(float x) {
  return lanes{x, x, x, x};
}

float sum_of(lanes x) {
  return (x[0] + x[1]) + (x[2] + x[3]);
}

// exp of x <= 0: x = n ln 2 + r, |r| <= ln 2 / 2; the polynomial is that of
// Moshier's Cephes library. Multiplications and additions only, each rounded,
// so that the result depends on nothing but x.
lanes exp_of(lanes x) {
  constexpr auto least = -87.f;
  constexpr auto round = 12582912.f; // 1.5 * 2^23: adding it drops fractions
  auto under = x < all(least);
  x = under ? all(least) : x;
  auto shifted = x * all(1.44269504f) + all(round);
  auto n = shifted - all(round);
  auto r = (x - n * all(0.693359375f)) - n * all(-2.12194440e-4f);
  auto y = all(1.9875691500e-4f);
  y = y * r + all(1.3981999507e-3f);
  y = y * r + all(8.3334519073e-3f);
  y = y * r + all(4.1665795894e-2f);
  y = y * r + all(1.6666665459e-1f);
  y = y * r + all(5.0000001201e-1f);
  y = y * (r * r) + r + all(1.f);
  // `shifted` holds n in its low bits: move it to the exponent of 2^n.
  int_lanes bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  constexpr auto bias = std::bit_cast<int32_t>(round) - 127;
  bits = (bits - bias) << 23;
  lanes power;
  std::memcpy(&power, &bits, sizeof(power));
  return under ? all(0.f) : y * power;
}

// Calls f(block) for each block of `from`; the last is a copy that is filled
// up with `padding`.
template <class F>
void read_blocks(std::span<const float> from, float padding, F&& f) {
  auto whole = from.size() / scan_block * scan_block;
  for (auto i = size_t{0}; i < whole; i += scan_block)
    f(from.data() + i);
  if (whole == from.size())
    return;
  float last[scan_block];
  std::fill(
      std::copy(from.begin() + static_cast<ptrdiff_t>(whole), from.end(), last),
      last + scan_block, padding);
  f(last);
}

// The same with f(block, out), where `to` takes the values that f puts out.
template <class F>
void map_blocks(std::span<const float> from, std::span<float> to, float padding,
                F&& f) {
  auto out = to.data();
  auto end = out + from.size();
  read_blocks(from, padding, [&](const float* block) {
    if (end - out >= static_cast<ptrdiff_t>(scan_block)) {
      f(block, out);
      out += scan_block;
    } else {
      float last[scan_block];
      f(block, last);
      std::copy(last, last + (end - out), out);
    }
  });
}

} // namespace

bool scan_maxima(std::span<const float> logits, std::vector<float>& maxima) {
  maxima.resize((logits.size() + scan_block - 1) / scan_block);
  auto next = maxima.data();
  auto nan = int_lanes{};
  read_blocks(logits, lowest, [&](const float* x) {
    auto most = load(x);
    nan |= most != most;
    for (auto s = size_t{1}; s < steps; ++s) {
      auto v = load(x + s * width);
      nan |= v != v;
      most = v > most ? v : most;
    }
    *next++ = std::max(std::max(most[0], most[1]), std::max(most[2], most[3]));
  });
  return (nan[0] | nan[1] | nan[2] | nan[3]) == 0;
}

double scan_exp(std::span<const float> logits, float max, float scale,
                std::span<float> out, std::vector<double>& sums) {
  sums.resize((logits.size() + scan_block - 1) / scan_block);
  auto next = sums.data();
  auto total = 0.0;
  auto vmax = all(max), vscale = all(scale);
  map_blocks(logits, out, lowest, [&](const float* x, float* to) {
    auto sum = all(0.f);
    for (auto s = size_t{0}; s < steps; ++s) {
      auto e = exp_of((load(x + s * width) - vmax) * vscale);
      store(to + s * width, e);
      sum += e;
    }
    *next = sum_of(sum);
    total += *next++;
  });
  return total;
}

double scan_clear_below(std::span<float> values, float least,
                        std::vector<double>& sums) {
  auto next = sums.data();
  auto total = 0.0;
  map_blocks(values, values, 0.f, [&](const float* x, float* to) {
    auto sum = all(0.f);
    for (auto s = size_t{0}; s < steps; ++s) {
      auto e = load(x + s * width);
      e = e < all(least) ? all(0.f) : e;
      store(to + s * width, e);
      sum += e;
    }
    *next = sum_of(sum);
    total += *next++;
  });
  return total;
}

double portable_log(double x) {
  // x = m * 2^n with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s).
  auto bits = std::bit_cast<uint64_t>(x);
  auto n = static_cast<int>(bits >> 52) - 1023;
  auto m = std::bit_cast<double>((bits & 0xfffffffffffffull)
                                 | 0x3ff0000000000000ull);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++n;
  }
  auto s = (m - 1.0) / (m + 1.0);
  auto square = s * s;
  auto series = 0.0; // s^2 < 0.03: eleven terms reach 1e-17
  for (auto k = 21; k >= 1; k -= 2)
    series = series * square + 1.0 / k;
  return n * 0.6931471805599453 + 2.0 * s * series;
}

} // namespace troupe
