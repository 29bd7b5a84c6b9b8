#include "actors/protocol/add_message_types.hpp"

#include <caf/all.hpp>

#include "actors/protocol/interfaces.hpp"

namespace troupe {

void add_message_types(caf::actor_system_config& cfg) {
  cfg.add_message_types<caf::id_block::troupe>();
}

} // namespace troupe
