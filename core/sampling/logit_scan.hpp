#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace troupe {

// Passes over logits, the only ones that touch all of them. Their results are
// the same on every machine: each adds in an order that is written down here
// (not left to the width of its vector unit) and uses no library function.

/// Values that share one entry of `maxima` or `sums`; the last block may be
/// shorter.
constexpr size_t scan_block = 32;

/// Largest value of each block: [blocks]. False if there is a NaN, and the
/// maxima are worthless.
bool scan_maxima(std::span<const float> logits, std::vector<float>& maxima);

/// out[i] = exp((logits[i] - max) * scale), and each block's sum: [blocks].
/// Relative error below 2e-7 plus that of the float argument; 0 below exp(-87).
/// `out` may be `logits`. Returns the sum of the sums.
/// REQUIRES: max is finite and the largest; scale is positive and finite.
double scan_exp(std::span<const float> logits, float max, float scale,
                std::span<float> out, std::vector<double>& sums);

/// Sets values below `least` to 0 and sums each block anew.
double scan_clear_below(std::span<float> values, float least,
                        std::vector<double>& sums);

/// Natural logarithm of a finite x >= 1; relative error about 1e-16.
double portable_log(double x);

} // namespace troupe
