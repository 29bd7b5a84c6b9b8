#include "core/tensor/rope.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace troupe {

std::vector<float> yarn_factors(const rope_yarn& yarn, uint32_t dim,
                                float base) {
  // The pair, as a real number, that turns so many times within the context.
  auto pair_of = [&](double turns) {
    auto wavelength = yarn.original_context / (turns * 2 * std::numbers::pi);
    return dim * std::log(wavelength) / (2 * std::log(double{base}));
  };
  auto first = std::max(std::floor(pair_of(yarn.beta_fast)), 0.0);
  auto last = std::min(std::ceil(pair_of(yarn.beta_slow)), dim - 1.0);
  auto width = std::max(last - first, 0.001);
  auto out = std::vector<float>(dim / 2);
  for (auto i = size_t{0}; i < out.size(); ++i) {
    auto slow = std::clamp((static_cast<double>(i) - first) / width, 0.0, 1.0);
    out[i] = static_cast<float>(1 / (1 - slow + slow / yarn.factor));
  }
  return out;
}

float yarn_magnitude(float factor) {
  return 0.1f * std::log(factor) + 1.f;
}

rope_angles::rope_angles(uint32_t dim, float base, float scale,
                         std::span<const float> factors, float magnitude)
    : frequency_(dim / 2), magnitude_(magnitude) {
  assert(factors.empty() || factors.size() == frequency_.size());
  for (auto i = size_t{0}; i < frequency_.size(); ++i) {
    auto exponent = -2.0 * static_cast<double>(i) / dim;
    frequency_[i] = scale * std::pow(static_cast<double>(base), exponent);
    if (!factors.empty())
      frequency_[i] /= factors[i];
  }
}

void rope_angles::at(uint32_t position, float* cos_sin) const {
  auto* sines = cos_sin + frequency_.size();
  for (auto i = size_t{0}; i < frequency_.size(); ++i) {
    auto angle = position * frequency_[i];
    cos_sin[i] = static_cast<float>(magnitude_ * std::cos(angle));
    sines[i] = static_cast<float>(magnitude_ * std::sin(angle));
  }
}

namespace {

inline void rotate(float& a, float& b, float cos, float sin) {
  auto x = a;
  auto y = b;
  a = x * cos - y * sin;
  b = x * sin + y * cos;
}

} // namespace

void rotate_adjacent(float* head, uint32_t pairs, const float* cos_sin) {
  auto* sines = cos_sin + pairs;
  for (auto i = size_t{0}; i < pairs; ++i)
    rotate(head[2 * i], head[2 * i + 1], cos_sin[i], sines[i]);
}

void rotate_halves(float* head, uint32_t pairs, const float* cos_sin) {
  auto* sines = cos_sin + pairs;
  for (auto i = size_t{0}; i < pairs; ++i)
    rotate(head[i], head[i + pairs], cos_sin[i], sines[i]);
}

} // namespace troupe
