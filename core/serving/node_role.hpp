#pragma once

#include <cstdint>

namespace troupe {

/// Which part of a request a node computes; a store computes none and keeps KV.
/// Append only: the numbers travel between nodes.
enum class node_role : uint8_t { prefill, decode, mixed, store };

} // namespace troupe
