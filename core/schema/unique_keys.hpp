#pragma once

#include <vector>

#include "core/schema/json_tape.hpp"

namespace troupe {

/// Whether no two keys of an object are the same. In n log n steps, also where
/// the keys were chosen to make it slow. REQUIRES: the object at `object` is
/// whole; `scratch` is anything.
bool unique_keys(const json_node* nodes, uint32_t object,
                 std::vector<uint64_t>& scratch);

} // namespace troupe
