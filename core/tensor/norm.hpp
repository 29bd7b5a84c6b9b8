#pragma once

#include <cstdint>

namespace troupe {

/// out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i] (Zhang and Sennrich,
/// "Root Mean Square Layer Normalization", 2019). All are [n]; out may be x.
void rms_norm(const float* x, const float* weight, uint32_t n, float eps,
              float* out);

} // namespace troupe
