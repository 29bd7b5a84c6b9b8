#include "core/tensor/norm.hpp"

#include <cmath>
#include <cstddef>

namespace troupe {

void rms_norm(const float* x, const float* weight, uint32_t n, float eps,
              float* out) {
  // 16 partial sums: the compiler may use vectors, and the order is ours.
  float lanes[16] = {};
  auto i = size_t{0};
  for (; i + 16 <= n; i += 16)
    for (auto l = 0; l < 16; ++l)
      lanes[l] += x[i + l] * x[i + l];
  for (auto l = 0; i + l < n; ++l)
    lanes[l] += x[i + l] * x[i + l];
  for (auto half = 8; half > 0; half /= 2)
    for (auto l = 0; l < half; ++l)
      lanes[l] += lanes[l + half];
  auto scale = 1.f / std::sqrt(lanes[0] / static_cast<float>(n) + eps);
  for (i = 0; i < n; ++i)
    out[i] = x[i] * scale * weight[i];
}

} // namespace troupe
