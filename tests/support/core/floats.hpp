#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/base/random.hpp"

namespace troupe::testing {

using floats = std::vector<float>;

/// `n` numbers, uniform in [-scale, scale); a function of the seed.
inline floats random_floats(uint64_t seed, size_t n, float scale = 1) {
  auto xs = floats(n);
  for (auto i = size_t{0}; i < n; ++i)
    xs[i] = scale * static_cast<float>(2 * random_unit(seed, i) - 1);
  return xs;
}

/// Equal to the last bit; a NaN equals itself.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size()
         && (a.empty() // memcmp takes no null pointers, whatever the size
             || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

} // namespace troupe::testing
