#pragma once

#include <caf/rtti_pair.hpp>
#include <caf/serializer.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe::tracing {

/// What can be said of the messages of one type, whoever sends them.
struct message_facts {
  uint16_t number = 0; ///< CAF's type ID, or the number of a type of its own
  std::string_view name;
  /// The request that a message belongs to; 0: none, or several.
  request_id (*request)(const void* message) = nullptr;
  /// Bytes that it takes in memory, about.
  uint32_t (*bytes)(const void* message) = nullptr;
  /// Writes it as it would travel, but for KV.
  caf::error (*save_without_kv)(const void* message,
                                caf::serializer& to) = nullptr;
};

/// Those of a type that was registered; one without a name for any other.
const message_facts& facts_of(const caf::rtti_pair& type);

/// All that were registered.
std::vector<message_facts> all_message_facts();

/// Of a type's number; null: there is none.
const message_facts* facts_of(uint16_t number);

} // namespace troupe::tracing
