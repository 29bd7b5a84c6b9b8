#pragma once

#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/sampling/params.hpp"

namespace troupe::testing {

/// What the sampler promises, written down as plainly as can be: double
/// precision, a full sort, no shortcut.
struct plain_distribution {
  struct entry {
    token_id id;
    double probability;
  };
  /// The tokens that may be drawn, the likeliest first.
  std::vector<entry> kept;
  /// Whether draws walk `kept` in this order rather than by id.
  bool sorted = false;
};

/// REQUIRES: finite or -infinite logits, a positive temperature.
plain_distribution plain_distribution_of(std::span<const float> logits,
                                         std::span<const token_id> prompt,
                                         std::span<const token_id> generated,
                                         const sampling_params& p);

/// The token at `unit` of the cumulated distribution.
token_id plain_draw(const plain_distribution& d, double unit);

} // namespace troupe::testing
