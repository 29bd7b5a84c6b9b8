#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace troupe::log_linear {

// Buckets of integers: each octave in 64 equal parts, the numbers below 128
// each on its own. A bucket is at most 1/64 of what it holds wide, so that its
// middle is within 0.8 % of it (HdrHistogram; DDSketch, Masson et al. 2019).

constexpr auto sub_bits = 6;
/// What is larger counts as this: 73 minutes in ns.
constexpr auto largest = (uint64_t{1} << 42) - 1;

constexpr size_t index(uint64_t value) {
  value = std::min(value, largest);
  auto shift = std::bit_width(value | 64) - (sub_bits + 1);
  return (static_cast<size_t>(shift) << sub_bits) + (value >> shift);
}

constexpr auto buckets = index(largest) + 1;

/// The least value of a bucket.
constexpr uint64_t lower(size_t bucket) {
  if (bucket < 128)
    return bucket;
  auto shift = (bucket >> sub_bits) - 1;
  return (64 + (bucket & 63)) << shift;
}

/// The greatest one.
constexpr uint64_t upper(size_t bucket) {
  return lower(bucket + 1) - 1;
}

/// What values of a bucket are taken for.
constexpr uint64_t middle(size_t bucket) {
  return lower(bucket) + (upper(bucket) - lower(bucket)) / 2;
}

} // namespace troupe::log_linear
