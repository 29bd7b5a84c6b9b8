#pragma once

#include <caf/actor_system_config.hpp>
#include <caf/fwd.hpp>

#include <memory>

#include "core/base/result.hpp"

namespace troupe {

/// CAF's settings for a process that computes in detached actors: few pooled
/// workers that sleep soon and wake fast, so that the engines have the cores.
class system_config : public caf::actor_system_config {
public:
  system_config();

  /// A system of this configuration, which has to outlive it. Errors:
  /// overloaded, if this process may not have so many threads as it and what is
  /// spawned with it take.
  result<std::unique_ptr<caf::actor_system>> make_system();
};

} // namespace troupe
