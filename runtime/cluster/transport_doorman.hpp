#pragma once

#include <caf/io/doorman.hpp>
#include <caf/io/network/acceptor_impl.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include <memory>
#include <optional>
#include <string>

#include "runtime/cluster/tls.hpp"
#include "runtime/cluster/transport_guard.hpp"

namespace troupe {

/// How CAF's acceptor accepts. A connection that waits for a descriptor would
/// wake the network's thread again and again: one descriptor is kept to take
/// it in with and to close it.
class guarded_accept {
public:
  explicit guarded_accept(std::shared_ptr<transport_guard> guard);
  ~guarded_accept();

  guarded_accept(const guarded_accept&) = delete;
  guarded_accept& operator=(const guarded_accept&) = delete;

  /// False, and no socket, if there is nobody to let in.
  bool try_accept(int& socket, int listening);

private:
  void turn_away(int listening);

  std::shared_ptr<transport_guard> guard_;
  int spare_; // -1 if even that one is gone
};

/// A port whose connections the guard admits.
class guarded_doorman : public caf::io::doorman {
public:
  /// Owns `socket`.
  guarded_doorman(caf::io::network::default_multiplexer& mx, int socket,
                  std::shared_ptr<transport_guard> guard,
                  std::optional<tls_context> tls);

  // -- caf::io::doorman -------------------------------------------------------

  bool new_connection() override;
  void graceful_shutdown() override;
  void launch() override { acceptor_.start(this); }
  std::string addr() const override;
  uint16_t port() const override;
  void add_to_loop() override { acceptor_.activate(this); }
  void remove_from_loop() override { acceptor_.passivate(); }

private:
  std::shared_ptr<transport_guard> guard_;
  std::optional<tls_context> tls_;
  caf::io::network::acceptor_impl<guarded_accept> acceptor_;
};

} // namespace troupe
