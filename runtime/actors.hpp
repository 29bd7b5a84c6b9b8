#pragma once

#include <caf/fwd.hpp>

#include "actors/error.hpp"
#include "actors/protocol/add_message_types.hpp"
#include "actors/protocol/interfaces.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

/// The actors of a runtime in a host's own actor system. They end with it: the
/// handles are of no use then, and it has to go before the system does.
///
///     auto config = caf::actor_system_config{};
///     troupe::add_message_types(config);
///     troupe::use_quiet_clock(config);
///     auto system = caf::actor_system{config};
///     auto actors = troupe::spawn_runtime(system, options);
///     …
///     self->send(actors->gateway, troupe::submit{request, client});
struct runtime_actors {
  /// The same, for code that waits; keeps them alive. Not to be called from an
  /// actor that shares its thread with others.
  runtime alive;
  /// Takes requests; tokens go to the client that comes with one.
  gateway_actor gateway;
  /// Knows the nodes, and moves requests between them.
  registry_actor registry;
  model_manager_actor versions;
  response_cache_actor cache; ///< null: there is none
  profiler_actor profiler;
  auditor_actor auditor; ///< null: nothing is recorded

  /// See spawn_runtime.
  static result<runtime_actors> spawn(caf::actor_system& system,
                                      runtime_options options);
};

/// Spawns a runtime's actors in `system`, whose configuration has had
/// `add_message_types`, and `cluster_transport::configure` if the options have
/// a cluster. In a cluster's client there is a gateway alone. Errors: as
/// `runtime::open`; invalid_argument if the system lacks that.
result<runtime_actors> spawn_runtime(caf::actor_system& system,
                                     runtime_options options);

/// Gives a system a clock and workers whose threads sleep until there is
/// something to do, as runtimes of their own have them. CAF's clock is woken by
/// each request's timeouts and by each actor's end; where waking a thread is
/// dear, that is a third of a short request's time (bench/README.md). CAF's
/// workers get up again and again to look what others have not got to; these
/// take it from each other as well, and CAF's settings of how are not looked
/// at. Before the system is made.
void use_quiet_clock(caf::actor_system_config& config);

} // namespace troupe
