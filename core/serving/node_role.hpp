#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// Which part of a request a node computes; a store computes none and keeps KV.
/// Append only: the numbers travel between nodes.
enum class node_role : uint8_t { prefill, decode, mixed, store };

/// In a word.
constexpr std::string_view to_string(node_role r) {
  switch (r) {
  case node_role::prefill:
    return "prefill";
  case node_role::decode:
    return "decode";
  case node_role::mixed:
    return "mixed";
  case node_role::store:
    return "store";
  }
  return "?";
}

} // namespace troupe
