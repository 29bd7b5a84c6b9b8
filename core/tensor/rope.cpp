#include "core/tensor/rope.hpp"

#include <cassert>
#include <cmath>

namespace troupe {

rope::rope(uint32_t dim, float base, float scale,
           std::span<const float> factors, bool adjacent)
    : dim_(dim), adjacent_(adjacent) {
  assert(dim % 2 == 0 && (factors.empty() || factors.size() == dim / 2));
  for (uint32_t i = 0; i < dim / 2; ++i) {
    auto f = std::pow(static_cast<double>(base), -2.0 * i / dim);
    f *= static_cast<double>(scale);
    if (!factors.empty())
      f /= static_cast<double>(factors[i]);
    frequency_.push_back(f);
  }
}

void rope::angles(uint32_t position, float* out) const {
  auto half = dim_ / 2;
  for (uint32_t i = 0; i < half; ++i) {
    auto angle = position * frequency_[i];
    out[i] = static_cast<float>(std::cos(angle));
    out[half + i] = static_cast<float>(std::sin(angle));
  }
}

void rope::turn(const float* angles, float* head) const {
  auto half = dim_ / 2;
  for (uint32_t i = 0; i < half; ++i) {
    auto& a = head[adjacent_ ? 2 * i : i];
    auto& b = head[adjacent_ ? 2 * i + 1 : half + i];
    auto c = angles[i], s = angles[half + i];
    auto x = a * c - b * s;
    b = a * s + b * c;
    a = x;
  }
}

} // namespace troupe
