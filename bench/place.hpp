#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/cluster/transport.hpp"
#include "runtime/system_config.hpp"

namespace troupe::bench {

/// An actor system on our transport.
struct place {
  explicit place(std::optional<tls_files> tls = {}) {
    cluster_transport::configure(config);
    system = std::make_unique<caf::actor_system>(config);
    auto t = transport_options{};
    t.tls = std::move(tls);
    auto started = cluster_transport::start(*system, std::move(t));
    if (!started)
      std::abort();
    transport = std::move(*started);
  }
  ~place() { transport.reset(); }

  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<cluster_transport> transport;
};

} // namespace troupe::bench
