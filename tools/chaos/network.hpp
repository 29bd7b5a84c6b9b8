#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "tools/chaos/options.hpp"

namespace chaos {

/// The links between the front and its nodes, which can be broken.
class network {
public:
  virtual ~network() = default;

  /// Where the front listens, before it does.
  virtual std::string front_host() const = 0;
  /// Where it listens now.
  virtual troupe::result<void> opened(uint16_t front_port) = 0;

  /// What node `i` is told to join, and where it listens.
  virtual std::string join(size_t i) const = 0;
  virtual std::string host(size_t i) const = 0;
  /// The network namespace that node `i` lives in; empty: this one.
  virtual std::string space(size_t) const { return {}; }

  virtual void cut(size_t i, bool yes) = 0;
  virtual bool can_delay() const = 0;
  virtual void delay(size_t i, bool yes) = 0;
};

/// `nodes` links. In namespaces errors say what is missing.
troupe::result<std::unique_ptr<network>> make_network(const options& o,
                                                      size_t nodes);

/// Takes away what a run with these options may have left of a network.
void clean_network(const options& o, size_t nodes);

} // namespace chaos
