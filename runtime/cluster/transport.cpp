#include "runtime/cluster/transport.hpp"

#include <caf/all.hpp>
#include <caf/defaults.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>

#include <csignal>
#include <cstdio>
#include <sys/resource.h>

#include <algorithm>
#include <future>

#include "runtime/cluster/transport_doorman.hpp"
#include "runtime/cluster/transport_scribe.hpp"
#include "runtime/cluster/transport_socket.hpp"

namespace troupe {

namespace net = caf::io::network;

namespace {

constexpr auto heartbeat = std::chrono::seconds{5};

net::default_multiplexer* multiplexer_of(caf::actor_system& system) {
  return dynamic_cast<net::default_multiplexer*>(&system.middleman().backend());
}

/// CAF's middleman with our ports.
class guarded_middleman : public caf::io::middleman_actor_impl {
public:
  guarded_middleman(caf::actor_config& config, caf::actor broker,
                    std::shared_ptr<transport_guard> guard,
                    std::optional<tls_context> tls)
      : middleman_actor_impl(config, std::move(broker)),
        guard_(std::move(guard)), tls_(std::move(tls)) {}

  const char* name() const override { return "guarded_middleman"; }

protected:
  // `cluster_transport` dials itself. This actor would answer with what it
  // remembers of a port, which may be a node that has died since.
  caf::expected<caf::io::scribe_ptr> connect(const std::string&,
                                             uint16_t) override {
    return caf::make_error(caf::sec::cannot_connect_to_node);
  }

  caf::expected<caf::io::doorman_ptr> open(uint16_t port, const char* address,
                                           bool reuse) override {
    auto socket = net::new_tcp_acceptor_impl(port, address, reuse);
    if (!socket)
      return std::move(socket.error());
    return caf::make_counted<guarded_doorman>(*multiplexer_of(system()),
                                              *socket, guard_, tls_);
  }

private:
  std::shared_ptr<transport_guard> guard_;
  std::optional<tls_context> tls_;
};

/// Has the network's thread look at the deadlines, every `period`.
caf::behavior ticker(caf::event_based_actor* self,
                     std::shared_ptr<transport_guard> guard,
                     net::multiplexer* network,
                     std::chrono::milliseconds period) {
  self->delayed_send(self, period, caf::tick_atom_v);
  return {[=](caf::tick_atom) {
    network->dispatch(
        [guard] { guard->expire(std::chrono::steady_clock::now()); });
    self->delayed_send(self, period, caf::tick_atom_v);
  }};
}

void log_to_stderr(const std::string& line) {
  std::fprintf(stderr, "troupe: %s\n", line.c_str());
}

// Were the process to run out of descriptors, CAF's acceptor would spin.
transport_limits within_descriptors(transport_limits l) {
  auto most = rlimit{};
  if (::getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur != RLIM_INFINITY)
    l.max_connections = std::min<size_t>(l.max_connections, most.rlim_cur / 2);
  l.max_connections = std::max<size_t>(l.max_connections, 1);
  l.max_pending = std::clamp<size_t>(l.max_pending, 1, l.max_connections);
  l.max_per_address = std::max<size_t>(l.max_per_address, 1);
  return l;
}

std::chrono::milliseconds period_of(const transport_limits& l) {
  auto shortest =
      std::min({l.handshake_deadline, l.frame_deadline, l.silence_deadline})
      / 4;
  return std::clamp(shortest, std::chrono::milliseconds{5},
                    std::chrono::milliseconds{1000});
}

} // namespace

// -- life ---------------------------------------------------------------------

void cluster_transport::configure(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
  config.set("middleman.workers", size_t{0});
  config.set("middleman.heartbeat-interval", caf::timespan{heartbeat});
}

result<std::unique_ptr<cluster_transport>>
cluster_transport::start(caf::actor_system& system, transport_options options) {
  if (!system.has_middleman() || multiplexer_of(system) == nullptr)
    return fail(errc::invalid_argument,
                "the actor system has no network to put a transport on");
  auto& config = system.config();
  // That port would be CAF's own: on every address, plain, without limits.
  if (caf::get_or(config, "middleman.enable-automatic-connections", false))
    return fail(errc::invalid_argument,
                "middleman.enable-automatic-connections opens a port that "
                "nothing protects");
  auto beat = caf::get_or(config, "middleman.heartbeat-interval",
                          caf::defaults::middleman::heartbeat_interval);
  if (beat.count() <= 0 || 2 * beat > options.limits.silence_deadline)
    return fail(errc::invalid_argument,
                "middleman.heartbeat-interval: must be set, and at most half "
                "of the time after which silence is death");
  // CAF counts it from the clock's epoch for whom it is just dialing.
  auto timeout =
      caf::get_or(config, "middleman.connection-timeout", caf::timespan{0});
  if (timeout.count() > 0)
    return fail(errc::invalid_argument,
                "middleman.connection-timeout: would close connections in "
                "their handshakes; silence_deadline is in its place");
  auto tls = std::optional<tls_context>{};
  if (options.tls) {
    auto loaded = tls_context::load(*options.tls);
    if (!loaded)
      return loaded.failure();
    tls = std::move(*loaded);
  }
  return std::unique_ptr<cluster_transport>{new cluster_transport(
      system, std::move(options), std::move(tls), *multiplexer_of(system))};
}

cluster_transport::cluster_transport(caf::actor_system& system,
                                     transport_options options,
                                     std::optional<tls_context> tls,
                                     net::default_multiplexer& network)
    : system_(system), network_(network),
      guard_(std::make_shared<transport_guard>(
          within_descriptors(options.limits),
          options.log ? std::move(options.log) : log_to_stderr)),
      tls_(std::move(tls)),
      broker_(system.middleman().named_broker<caf::io::basp_broker>(
          caf::atom("BASP"))) {
  // OpenSSL writes to sockets that may be closed by now.
  network_.dispatch([] {
    auto pipe = sigset_t{};
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  });
  middleman_ = system.spawn<guarded_middleman, caf::detached + caf::hidden>(
      broker_, guard_, tls_);
  ticker_ = system.spawn<caf::hidden>(ticker, guard_, &network_,
                                      period_of(guard_->limits()));
}

cluster_transport::~cluster_transport() {
  for (auto port : ports_)
    close_port(port);
  auto self = caf::scoped_actor{system_, true};
  self->send_exit(ticker_, caf::exit_reason::kill);
  self->send_exit(middleman_, caf::exit_reason::kill);
  self->wait_for(ticker_, middleman_);
  // Nobody looks at deadlines any more: a peer that doesn't read would keep its
  // connection, and the network's thread with it, for ever.
  in_network([guard = guard_] { guard->end(); });
}

void cluster_transport::in_network(std::function<void()> what) {
  auto done = std::make_shared<std::promise<void>>();
  network_.dispatch([what = std::move(what), done] {
    what();
    done->set_value();
  });
  done->get_future().wait_for(guard_->limits().handshake_deadline);
}

// -- ports and peers ----------------------------------------------------------

result<uint16_t> cluster_transport::publish(caf::strong_actor_ptr actor,
                                            std::set<std::string> types,
                                            uint16_t port,
                                            const std::string& address) {
  if (!actor)
    return fail(errc::invalid_argument, "no actor to publish");
  auto at = address.empty() || address == "localhost" ? "127.0.0.1" : address;
  if (!tls_ && !is_loopback(at))
    return fail(errc::invalid_argument,
                at
                    + ": a cluster port beyond this machine needs mutual TLS: "
                      "configure tls, or bind to 127.0.0.1");
  auto self = caf::scoped_actor{system_, true};
  auto opened = result<uint16_t>{uint16_t{0}};
  self->request(middleman_, caf::infinite, caf::publish_atom_v, port,
                std::move(actor), std::move(types), at, true)
      .receive([&](uint16_t p) { opened = p; },
               [&](const caf::error&) {
                 opened =
                     fail(errc::io_error, at + " port " + std::to_string(port)
                                              + ": cannot be bound");
               });
  if (opened) {
    // CAF forgets to let go of a port that is closed in the same turn of its
    // loop in which it was opened, and would listen there for ever.
    in_network([] {});
    auto guard = std::lock_guard{lock_};
    ports_.push_back(*opened);
  }
  return opened;
}

void cluster_transport::close(uint16_t port) {
  {
    auto guard = std::lock_guard{lock_};
    std::erase(ports_, port);
  }
  close_port(port);
}

void cluster_transport::close_port(uint16_t port) {
  auto self = caf::scoped_actor{system_, true};
  self->request(middleman_, guard_->limits().handshake_deadline,
                caf::close_atom_v, port)
      .receive([] {},
               [](const caf::error&) {
                 // Closed already.
               });
}

result<caf::strong_actor_ptr>
cluster_transport::connect(std::set<std::string> types, const std::string& host,
                           uint16_t port) {
  auto name = host + ":" + std::to_string(port);
  auto deadline = guard_->limits().handshake_deadline;
  auto socket = dial(host, port, !tls_, deadline);
  if (!socket)
    return socket.failure();
  auto scribe = caf::io::scribe_ptr{caf::make_counted<guarded_scribe>(
      network_, *socket, link_side::dialed,
      host + " port " + std::to_string(port), host, guard_, tls_)};
  auto self = caf::scoped_actor{system_, true};
  auto answer = result<caf::strong_actor_ptr>{caf::strong_actor_ptr{}};
  // The guard closes it at `deadline`, and the broker answers then.
  self->request(broker_, 2 * deadline, caf::connect_atom_v, std::move(scribe),
                port)
      .receive(
          [&](const caf::node_id&, caf::strong_actor_ptr& actor,
              const std::set<std::string>& theirs) {
            if (!actor)
              answer = fail(errc::io_error, name + ": no actor is published");
            else if (!system_.assignable(theirs, types))
              answer = fail(errc::unsupported,
                            name + ": the actor there is of another kind");
            else
              answer = std::move(actor);
          },
          [&](const caf::error& e) {
            if (e == caf::sec::request_timeout)
              answer = fail(errc::timeout, name + ": no answer");
            else
              answer = fail(errc::io_error,
                            name
                                + ": refused, or closed by the peer, before "
                                  "the handshake was complete");
          });
  return answer;
}

} // namespace troupe
