#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman_actor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "runtime/cluster/tls.hpp"
#include "runtime/cluster/transport_guard.hpp"

namespace caf::io::network {
class default_multiplexer;
}

namespace troupe {

struct transport_options {
  /// Mutual TLS on every connection. Without, only loopback addresses can be
  /// published at or connected to.
  std::optional<tls_files> tls;
  transport_limits limits;
  /// Where refusals go; standard error if empty.
  transport_log log;
};

/// The only way from one node's actors to another's: CAF's broker and its
/// messages, over connections that keep to limits and, with TLS, are between
/// nodes of one CA. One for each actor system, which has to be configured for
/// it and to outlive it. Threads may share it.
class cluster_transport {
public:
  /// What an actor system's configuration needs before the system is made:
  /// CAF's middleman, and heartbeats that tell a silent peer from a dead one.
  static void configure(caf::actor_system_config& config);

  /// invalid_argument if the system isn't configured for it or CAF's own ports
  /// would stay open beside it, bad_file if TLS's files are no good.
  static result<std::unique_ptr<cluster_transport>>
  start(caf::actor_system& system, transport_options options);

  /// Closes the ports and all connections; what peers haven't been sent by
  /// then is lost. Nothing is logged afterwards.
  ~cluster_transport();

  cluster_transport(const cluster_transport&) = delete;
  cluster_transport& operator=(const cluster_transport&) = delete;

  /// Opens a port, any if 0, whose peers get `actor` from `connect`. An
  /// `address` of "" is 127.0.0.1, of "0.0.0.0" or "::" all of this machine.
  /// Returns the port.
  /// invalid_argument unless TLS is configured or the address is loopback,
  /// io_error if it can't be bound.
  template <class Handle>
  result<uint16_t> publish(const Handle& actor, uint16_t port,
                           const std::string& address = "") {
    return publish(caf::actor_cast<caf::strong_actor_ptr>(actor),
                   system_.message_types(actor), port, address);
  }

  /// Closes a port that `publish` returned; what is connected stays connected.
  void close(uint16_t port);

  /// The actor that is published at a port of another node now: each call asks
  /// the port, though nodes that are connected stay so over one connection.
  /// Blocks until then, or for three times `handshake_deadline` and while a
  /// name is looked up. Two nodes that dial each other at the same moment may
  /// both give way, which a monitor of the actor tells: try again. A request to
  /// an actor of a node that has died is lost, not refused: give it a timeout.
  /// io_error, timeout; invalid_argument without TLS unless `host` is loopback;
  /// unsupported if the actor there takes other messages than `Handle`'s.
  template <class Handle = caf::actor>
  result<Handle> connect(const std::string& host, uint16_t port) {
    auto types = caf::detail::type_list<Handle>{};
    auto found = connect(system_.message_types(types), host, port);
    if (!found)
      return found.failure();
    return caf::actor_cast<Handle>(*found);
  }

  transport_stats stats() const { return guard_->stats(); }

private:
  cluster_transport(caf::actor_system& system, transport_options options,
                    std::optional<tls_context> tls,
                    caf::io::network::default_multiplexer& network);

  result<uint16_t> publish(caf::strong_actor_ptr actor,
                           std::set<std::string> types, uint16_t port,
                           const std::string& address);
  void close_port(uint16_t port);
  /// Runs `what` in the network's thread, after all that it was given before,
  /// and waits until then, for `handshake_deadline` at most.
  void in_network(std::function<void()> what);
  result<caf::strong_actor_ptr> connect(std::set<std::string> types,
                                        const std::string& host, uint16_t port);

  caf::actor_system& system_;
  caf::io::network::default_multiplexer& network_;
  std::shared_ptr<transport_guard> guard_;
  std::optional<tls_context> tls_;
  caf::actor broker_;
  caf::io::middleman_actor middleman_;
  caf::actor ticker_;
  std::mutex lock_;
  std::vector<uint16_t> ports_;
};

} // namespace troupe
