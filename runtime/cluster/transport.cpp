#include "runtime/cluster/transport.hpp"

#include <caf/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor_impl.hpp>

#include <csignal>
#include <cstdio>
#include <sys/resource.h>

#include <algorithm>

#include "actors/error.hpp"
#include "runtime/cluster/transport_scribe.hpp"
#include "runtime/cluster/transport_socket.hpp"

namespace troupe {

namespace net = caf::io::network;

namespace {

net::default_multiplexer* multiplexer_of(caf::actor_system& system) {
  return dynamic_cast<net::default_multiplexer*>(&system.middleman().backend());
}

/// CAF's middleman with our ports and connections. Detached: it blocks while
/// it connects.
class guarded_middleman : public caf::io::middleman_actor_impl {
public:
  guarded_middleman(caf::actor_config& config, caf::actor broker,
                    std::shared_ptr<transport_guard> guard,
                    std::optional<tls_context> tls)
      : middleman_actor_impl(config, std::move(broker)),
        guard_(std::move(guard)), tls_(std::move(tls)) {}

  const char* name() const override { return "guarded_middleman"; }

protected:
  caf::expected<caf::io::scribe_ptr> connect(const std::string& host,
                                             uint16_t port) override {
    auto socket = dial(host, port, !tls_, guard_->limits().handshake_deadline);
    if (!socket)
      return to_caf(socket.failure());
    net::keepalive(*socket, true);
    return caf::make_counted<guarded_scribe>(
        *multiplexer_of(system()), *socket, link_side::dialed,
        host + " port " + std::to_string(port), host, guard_, tls_);
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
  auto shortest = std::min(l.handshake_deadline, l.frame_deadline) / 4;
  return std::clamp(shortest, std::chrono::milliseconds{5},
                    std::chrono::milliseconds{1000});
}

} // namespace

// -- life
// ----------------------------------------------------------------------

result<std::unique_ptr<cluster_transport>>
cluster_transport::start(caf::actor_system& system, transport_options options) {
  if (!system.has_middleman() || multiplexer_of(system) == nullptr)
    return fail(errc::invalid_argument,
                "the actor system has no network to put a transport on");
  // That port would be CAF's own: on every address, plain, without limits.
  if (caf::get_or(system.config(), "middleman.enable-automatic-connections",
                  false))
    return fail(errc::invalid_argument,
                "middleman.enable-automatic-connections opens a port that "
                "nothing protects");
  auto tls = std::optional<tls_context>{};
  if (options.tls) {
    auto loaded = tls_context::load(*options.tls);
    if (!loaded)
      return loaded.failure();
    tls = std::move(*loaded);
  }
  return std::unique_ptr<cluster_transport>{
      new cluster_transport(system, std::move(options), std::move(tls))};
}

cluster_transport::cluster_transport(caf::actor_system& system,
                                     transport_options options,
                                     std::optional<tls_context> tls)
    : system_(system),
      guard_(std::make_shared<transport_guard>(
          within_descriptors(options.limits),
          options.log ? std::move(options.log) : log_to_stderr)) {
  auto& network = system.middleman().backend();
  // OpenSSL writes to sockets that may be closed by now.
  network.dispatch([] {
    auto pipe = sigset_t{};
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  });
  middleman_ = system.spawn<guarded_middleman, caf::detached + caf::hidden>(
      system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP")),
      guard_, std::move(tls));
  tls_ = options.tls.has_value();
  ticker_ = system.spawn<caf::hidden>(ticker, guard_, &network,
                                      period_of(guard_->limits()));
}

cluster_transport::~cluster_transport() {
  while (!ports_.empty())
    close(ports_.back());
  auto self = caf::scoped_actor{system_, true};
  self->send_exit(ticker_, caf::exit_reason::kill);
  self->send_exit(middleman_, caf::exit_reason::kill);
  self->wait_for(ticker_, middleman_);
}

// -- ports and peers
// -----------------------------------------------------------

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
  if (opened)
    ports_.push_back(*opened);
  return opened;
}

void cluster_transport::close(uint16_t port) {
  std::erase(ports_, port);
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
  using found = result<caf::strong_actor_ptr>;
  auto name = host + ":" + std::to_string(port);
  auto self = caf::scoped_actor{system_, true};
  auto answer = found{caf::strong_actor_ptr{}};
  self->request(middleman_, 3 * guard_->limits().handshake_deadline,
                caf::connect_atom_v, host, port)
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
            if (e.category() == caf::atom("troupe"))
              answer = from_caf(e);
            else
              answer = fail(errc::io_error,
                            name
                                + ": refused, or closed by the peer, before "
                                  "the handshake was complete");
          });
  return answer;
}

} // namespace troupe
