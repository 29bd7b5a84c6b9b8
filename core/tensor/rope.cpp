#include "core/tensor/rope.hpp"

#include <cassert>
#include <cmath>

namespace troupe {

rope_angles::rope_angles(uint32_t dim, float base, float scale,
                         std::span<const float> factors)
    : frequency_(dim / 2) {
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
    cos_sin[i] = static_cast<float>(std::cos(angle));
    sines[i] = static_cast<float>(std::sin(angle));
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
