#include "runtime/cluster/connector.hpp"

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "runtime/cluster/options.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{5};

} // namespace

door_actor::behavior_type door(door_actor::pointer, registry_actor registry,
                               gateway_actor gateway) {
  return {[=](const dial_registry&) {
    return registry_found{registry, gateway};
  }};
}

beacon_actor::behavior_type beacon(beacon_actor::pointer, peer_reached answer) {
  return {[=](const dial_peer&) { return answer; }};
}

result<registry_found> find_registry(caf::actor_system& system,
                                     cluster_transport& transport,
                                     const node_address& at) {
  auto there = transport.connect<door_actor>(at.host, at.port);
  if (!there)
    return there.failure();
  // What CAF remembers of a process that died is found out by asking.
  auto self = caf::scoped_actor{system};
  auto answer = result<registry_found>{registry_found{}};
  self->request(*there, patience, dial_registry{at})
      .receive([&](const registry_found& m) { answer = m; },
               [&](const caf::error& e) {
                 auto why = from_caf(e);
                 answer = fail(why.code, to_string(at) + ": " + why.message);
               });
  if (answer && (!answer->registry || !answer->gateway))
    return fail(errc::unsupported, to_string(at) + ": no registry there");
  return answer;
}

connector_actor::behavior_type connector(connector_actor::pointer self,
                                         cluster_transport* transport) {
  return {
      [=](const dial_registry& m) -> caf::result<registry_found> {
        auto found = find_registry(self->system(), *transport, m.at);
        if (!found)
          return to_caf(found.failure());
        return *found;
      },
      [=](const dial_peer& m) -> caf::result<peer_reached> {
        auto peer = transport->connect<beacon_actor>(m.at.host, m.at.port);
        if (!peer)
          return to_caf(peer.failure());
        return peer_reached{};
      },
  };
}

} // namespace troupe
