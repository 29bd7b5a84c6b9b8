#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "runtime/cluster/tls.hpp"
#include "tools/chaos/network.hpp"
#include "tools/chaos/options.hpp"

namespace chaos {

/// The nodes' processes. They die with the thread that starts them, so all
/// calls come from one that lives as long as the fleet.
class fleet {
public:
  /// Names and roles alone; makes the certificates. Nothing runs yet.
  static troupe::result<fleet> make(const options& o);

  fleet(fleet&&) = default;
  /// Kills all.
  ~fleet();

  size_t size() const { return nodes_.size(); }
  const std::string& name(size_t i) const { return nodes_[i].name; }
  bool prefills(size_t i) const { return nodes_[i].role == "prefill"; }
  /// The front's certificate.
  troupe::tls_files front_tls() const { return tls("front"); }

  troupe::result<void> start(size_t i, const network& net);
  void kill(size_t i);
  void stop(size_t i);
  void go_on(size_t i);
  /// How it ended by itself, which no node should; empty: it did not.
  std::string end_of(size_t i);
  /// Where it writes what happens to it.
  std::string log(size_t i) const;

private:
  struct node {
    std::string name;
    std::string role;
    pid_t pid = 0; // 0: none
    uint32_t lives = 0;
  };

  explicit fleet(const options& o);
  troupe::tls_files tls(const std::string& name) const;
  void signal(size_t i, int what);

  options options_;
  std::vector<node> nodes_;
};

/// Nodes of a run.
inline constexpr size_t fleet_size = 3;

} // namespace chaos
