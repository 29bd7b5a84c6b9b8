#pragma once

#include <caf/actor_system_config.hpp>

namespace troupe {

/// CAF's settings for a process that computes in detached actors: few pooled
/// workers that sleep soon and wake fast, so that the engines have the cores.
class system_config : public caf::actor_system_config {
public:
  system_config();
};

} // namespace troupe
