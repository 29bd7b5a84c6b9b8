#pragma once

#include <cstdint>
#include <string>

namespace chaos {

/// Where the nodes live.
enum class network_kind : uint8_t { loopback, namespaces };

struct options {
  std::string model;
  std::string troupe;    ///< the program that nodes run
  std::string directory; ///< of this run; the supervisor removes it
  network_kind net = network_kind::loopback;
  bool mixed = false; ///< three mixed nodes, not a prefill and two decode ones
  uint32_t requests = 500; ///< at least
  uint32_t faults = 24;    ///< at least
  uint32_t in_flight = 12;
  uint32_t distinct = 64; ///< different requests; the rest repeat them
  uint32_t min_tokens = 48;
  uint32_t max_tokens = 192;
  uint64_t seed = 1;
  uint32_t id = 0;   ///< names this run's network devices
  std::string trace; ///< folder for the messages of all; empty: none
  std::string only;  ///< kind of fault; empty: all kinds
  bool brief = false;
  bool json = false;
  bool verbose = false; ///< each fault, and what the nodes say
};

} // namespace chaos
