#pragma once

#include <vector>

#include "core/schema/json_tape.hpp"

namespace troupe {

/// A value in a tape.
struct tape_value {
  const json_node* nodes = nullptr;
  uint32_t at = 0;

  const json_node& operator*() const { return nodes[at]; }
  const json_node* operator->() const { return nodes + at; }
};

/// Where the value behind `at` is.
inline uint32_t next_value(const json_node* nodes, uint32_t at) {
  auto& n = nodes[at];
  return n.kind >= json_kind::array ? n.end : at + 1;
}

// All of these recurse as deep as the values are nested.

/// Equal as JSON Schema has it: numbers by their value, objects in any order.
bool equal_values(tape_value a, tape_value b);

/// A total order of values, in which 0 is that they are equal.
int compare_values(tape_value a, tape_value b);

/// The same for values that are equal.
uint64_t hash_value(tape_value x);

/// The ordinal of an item that equals an earlier one, or `not_repeated`. In n
/// log n comparisons, also where the items were chosen to make it slow.
uint32_t find_repeated(tape_value array);
constexpr auto not_repeated = ~uint32_t{0};

} // namespace troupe
