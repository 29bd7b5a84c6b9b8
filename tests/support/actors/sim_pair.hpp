#pragma once

#include <caf/io/all.hpp>
#include <caf/io/network/test_multiplexer.hpp>

#include "tests/support/actors/sim_system.hpp"

namespace troupe::testing {

/// Two actor systems in one thread, connected by a simulated network: every
/// message between them is serialised as it would be in life.
class sim_pair {
public:
  explicit sim_pair(uint64_t seed = 0)
      : near(seed, sim_system::network::simulated),
        far(seed, sim_system::network::simulated) {}
  ~sim_pair();

  sim_system near;
  sim_system far;

  /// Publishes an actor of `near`, and returns the handle to it in `far`.
  /// Further handles can travel in messages. Call it once.
  template <class Handle>
  Handle join(const Handle& in_near) {
    prepare();
    near.scheduler().inline_next_enqueue();
    auto port = near.sys.middleman().publish(in_near, port_);
    BOOST_REQUIRE(port);
    far.scheduler().after_next_enqueue([this] { run(); });
    auto remote = far.sys.middleman().remote_actor<Handle>("near", port_);
    BOOST_REQUIRE(remote);
    run();
    return *remote;
  }

  /// One message or one read at either side. False if all is still.
  bool step();
  size_t run(size_t most = 10'000'000);
  void drain(std::chrono::milliseconds limit = std::chrono::minutes{1});

  /// Cuts the connection, as the death of a process would.
  void cut();

private:
  void prepare();

  static constexpr uint16_t port_ = 4242;
  caf::io::connection_handle at_near_;
  caf::io::connection_handle at_far_;
  uint64_t turn_ = 0;
};

} // namespace troupe::testing
