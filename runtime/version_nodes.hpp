#pragma once

#include <caf/fwd.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/node_setup.hpp"

namespace troupe {

/// The nodes of this process, by the version of the model that they serve: each
/// version has those of the topology, and a KV store of its own. Safe to use
/// from any thread.
class version_nodes {
public:
  /// With `known_elsewhere`, other processes may know of the nodes. The system
  /// must outlive it.
  version_nodes(caf::actor_system& system, runtime_options options,
                bool known_elsewhere)
      : system_(system), options_(std::move(options)),
        known_elsewhere_(known_elsewhere) {}
  ~version_nodes() { end_all(); }

  version_nodes(const version_nodes&) = delete;
  version_nodes& operator=(const version_nodes&) = delete;

  /// Starts the nodes and adds them to the registry; no effect on a version
  /// that has some. Errors: as node_setup's.
  result<void> start(version_id version, std::shared_ptr<const model> weights,
                     const registry_actor& registry);

  /// How many nodes a version has in this process.
  size_t nodes_of_each() const {
    auto& n = options_.nodes;
    return n.prefill.size() + n.decode.size() + n.mixed.size();
  }

  /// What nodes of other processes need to have, too.
  admit_version entry_of(version_id version, const model& weights) const {
    return {version,
            fingerprint(weights, options_.activations, options_.tensor_ranks),
            layout_of(options_, weights)};
  }

  /// Ends the nodes, and waits for the steps that they are in.
  void end(version_id version);
  void end_all();

private:
  struct group {
    explicit group(node_setup s) : setup(std::move(s)) {}
    node_setup setup;
    std::vector<caf::actor> nodes;
  };

  result<void> fill(group& g, version_id version,
                    const registry_actor& registry);
  void stop(group& g);

  caf::actor_system& system_;
  runtime_options options_;
  bool known_elsewhere_;
  std::mutex mutex_;
  std::map<version_id, std::unique_ptr<group>> groups_;
  node_id last_ = 0;
};

} // namespace troupe
