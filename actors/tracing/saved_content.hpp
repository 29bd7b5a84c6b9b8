#pragma once

#include <caf/execution_unit.hpp>
#include <caf/serializer.hpp>
#include <caf/type_erased_tuple.hpp>

#include <vector>

namespace troupe::tracing {

// What a recording keeps of a message: how many values, and of each its type
// and then itself; of KV only with `full_kv`.

/// Writes it. False if that cannot be done.
bool save_content(const caf::type_erased_tuple& content, caf::serializer& sink,
                  bool full_kv);

/// The same as bytes; none if it cannot be done.
std::vector<char> saved_content(const caf::type_erased_tuple& content,
                                caf::execution_unit* context, bool full_kv);

} // namespace troupe::tracing
