#pragma once

#include <cstddef>
#include <vector>

#include "core/engine/step.hpp"
#include "core/parallel/collective.hpp"

namespace troupe {

/// Leaves of a step's rows those that this rank computes; the sequences stay
/// those of all. `wanted`: [ranks], how many values the rows of each rank have
/// whose logits are wanted, `hidden` each; `pooled`: the same, of states.
void keep_own_rows(const collective& ranks, uint32_t hidden, step_rows& rows,
                   std::vector<size_t>& wanted, std::vector<size_t>& pooled);

} // namespace troupe
