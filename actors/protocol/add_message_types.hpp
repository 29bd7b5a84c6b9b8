#pragma once

#include <caf/fwd.hpp>

namespace troupe {

/// Registers every message of Troupe; call before the actor system starts.
void add_message_types(caf::actor_system_config& cfg);

} // namespace troupe
