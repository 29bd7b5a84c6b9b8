#include "actors/protocol/add_message_types.hpp"

#include <caf/all.hpp>

#include "actors/protocol/interfaces.hpp"

namespace troupe {

void add_message_types(caf::actor_system_config& cfg) {
  cfg.add_message_types<caf::id_block::troupe>();
}

std::vector<std::byte> wire_bytes(const kv_chunk& x) {
  if (x.payload.blocks.empty())
    return x.payload.bytes;
  auto bytes = std::vector<std::byte>{};
  auto slice = x.layer_bytes * x.layers;
  bytes.reserve(slice * x.blocks);
  for (auto& block : x.payload.blocks) {
    auto* from = block.get() + x.first_layer * x.layer_bytes;
    bytes.insert(bytes.end(), from, from + slice);
  }
  return bytes;
}

} // namespace troupe
