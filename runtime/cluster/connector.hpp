#pragma once

#include <caf/typed_event_based_actor.hpp>

#include "actors/protocol/interfaces.hpp"
#include "runtime/cluster/transport.hpp"

namespace troupe {

/// What a cluster's front publishes at its port.
door_actor::behavior_type door(door_actor::pointer self,
                               registry_actor registry, gateway_actor gateway);

/// What a node publishes at its port: others want no more than the connection.
/// `answer` is what who asks gets: in CAF 0.17.6 an actor that is spawned
/// without any argument binds a reference to nothing.
beacon_actor::behavior_type beacon(beacon_actor::pointer self,
                                   peer_reached answer);

/// Connects to the front of the cluster at `at`. Blocks the thread, at most
/// for some times the transport's handshake deadline.
/// Errors: as `cluster_transport::connect`, timeout, abandoned.
result<registry_found> find_registry(caf::actor_system& system,
                                     cluster_transport& transport,
                                     const node_address& at);

/// Dials for a node's agent; spawn it detached, it blocks. `transport` has to
/// outlive it.
connector_actor::behavior_type connector(connector_actor::pointer self,
                                         cluster_transport* transport);

} // namespace troupe
