#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"

namespace troupe {

/// The mean of the states of a prompt's tokens, as they come. They are added in
/// their order and in double precision, so that it does not matter, to the last
/// bit, in what chunks they came.
class mean_pool {
public:
  /// Adds whole states, `width` values each (engine::states).
  void add(std::span<const float> states, size_t width);

  /// [width]: the mean; empty before the first state.
  std::vector<float> mean() const;

  /// States that were added.
  uint64_t count() const { return count_; }

private:
  std::vector<double> sum_; ///< [width]
  uint64_t count_ = 0;
};

/// The first `dimensions` values of a state (0: all of them) as a vector of
/// length 1. Errors: invalid_argument if it has fewer; bad_file if they have no
/// direction, because all are 0 or some are not finite, which weights are to
/// blame for.
result<std::vector<float>> unit_vector(std::span<const float> state,
                                       uint32_t dimensions);

} // namespace troupe
