#pragma once

#include <caf/all.hpp>
#include <caf/io/middleman.hpp>

#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "actors/protocol/interfaces.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/system_config.hpp"

namespace troupe::testing {

/// How long a test waits for what must happen before it fails.
inline constexpr auto patience = std::chrono::seconds{60};

struct cluster_config : system_config {
  explicit cluster_config(const transport_limits& l = {}) {
    cluster_transport::configure(*this);
    // Short where silence is.
    auto most = caf::timespan{std::chrono::seconds{5}};
    set("middleman.heartbeat-interval",
        std::min<caf::timespan>(most, l.silence_deadline / 10));
  }
};

/// Answers a status_query with that much more than it asks, a string with
/// itself.
inline caf::behavior echo(caf::event_based_actor* self, uint32_t more) {
  self->set_default_handler(caf::drop);
  return {[=](const status_query& q) {
            auto s = node_status{};
            s.steps = q.detail + more;
            return s;
          },
          [](std::string& text) { return std::move(text); }};
}

/// What a transport logged.
class log_lines {
public:
  transport_log sink() {
    return [this](const std::string& line) {
      auto guard = std::lock_guard{lock_};
      lines_ += line + "\n";
      more_.notify_all();
    };
  }

  /// Waits for a line that contains `part`.
  bool wait_for(const std::string& part) {
    auto guard = std::unique_lock{lock_};
    return more_.wait_for(guard, patience, [&] {
      return lines_.find(part) != std::string::npos;
    });
  }

  std::string all() {
    auto guard = std::lock_guard{lock_};
    return lines_;
  }

private:
  std::mutex lock_;
  std::condition_variable more_;
  std::string lines_;
};

/// An actor system with a transport and a published `echo`.
struct cluster_node {
  /// `at`: its port, any if 0.
  explicit cluster_node(transport_options o = {}, uint16_t at = 0)
      : config(o.limits) {
    o.log = log.sink();
    auto t = cluster_transport::start(system, std::move(o));
    if (!t)
      throw std::runtime_error(t.failure().message);
    transport = std::move(*t);
    actor = system.spawn(echo, 1u);
    auto p = transport->publish(actor, at);
    if (!p)
      throw std::runtime_error(p.failure().message);
    port = *p;
  }

  ~cluster_node() {
    auto self = caf::scoped_actor{system};
    self->send_exit(actor, caf::exit_reason::kill);
    self->wait_for(actor);
    transport.reset();
  }

  /// Connects to a port, asks the echo there, returns its answer; 0 if any of
  /// it fails.
  uint64_t ask(uint16_t at, uint8_t question) {
    auto to = transport->connect("127.0.0.1", at);
    return to ? ask(*to, question) : 0;
  }

  /// Asks an echo that it is connected with already.
  uint64_t ask(const caf::actor& to, uint8_t question) {
    auto answer = uint64_t{0};
    auto self = caf::scoped_actor{system};
    self->request(to, patience, status_query{question})
        .receive([&](const node_status& s) { answer = s.steps; },
                 [](const caf::error&) {});
    return answer;
  }

  cluster_config config;
  caf::actor_system system{config};
  log_lines log;
  std::unique_ptr<cluster_transport> transport;
  caf::actor actor;
  uint16_t port = 0;
};

/// A peer that doesn't know how to behave: a plain TCP socket.
class raw_peer {
public:
  explicit raw_peer(uint16_t port);
  ~raw_peer();
  raw_peer(raw_peer&& o) noexcept : socket_(std::exchange(o.socket_, -1)) {}

  int socket() const { return socket_; }
  /// False once the other side has closed.
  bool send(const std::string& bytes);
  /// Sends no more.
  void half_close();
  /// Reads until the other side closes; false if it doesn't in time.
  bool closed();

private:
  int socket_ = -1;
};

/// A BASP header as CAF 0.17 writes it.
std::string basp_header(uint8_t kind, uint32_t payload,
                        uint64_t operation_data = 0, uint64_t from = 0,
                        uint64_t to = 0);

/// A whole client handshake of a node of that number that doesn't exist.
std::string basp_handshake(caf::actor_system& system, uint32_t node);

/// A message from such a node's actor 1.
std::string basp_message(caf::actor_system& system, uint64_t to,
                         const caf::message& content);

/// Lets this process have that many open files; false, with a message, if it
/// may not.
bool raise_descriptors(size_t n);

/// The most bytes of memory that this process ever had resident: what was
/// allocated and given back counts.
size_t peak_memory();

/// Whether the peak is less than `bytes` above what it was; sanitizers keep
/// freed memory for some time.
bool grew_less(size_t before, size_t bytes);

} // namespace troupe::testing
