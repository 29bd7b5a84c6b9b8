#pragma once

#include <cstdint>
#include <string>

#include "core/base/time.hpp"

namespace troupe::testing {

/// Rules that a world breaks, so that a test can show that the checks notice.
enum class cluster_bug : uint8_t {
  none,
  /// A registry that starts again counts nodes and lives from 1 again.
  forgets_lives,
  /// A node believes its lease to be three times as long.
  long_lease,
  /// Every message of a node is taken for one of its present epoch.
  any_epoch,
  /// A fenced node comes back as who it was.
  keeps_incarnation,
  /// The registry never looks for silent nodes.
  no_expiry,
  /// Who joins replaces who has the name, without knowing whom.
  joins_blindly,
  /// Orders to drain get lost, all of them.
  loses_orders,
};

struct cluster_outcome {
  /// The first invariant that did not hold; empty: all held, always.
  std::string violation;
  uint32_t joined = 0;
  uint32_t silent = 0;
  uint32_t died = 0;
  uint32_t replaced = 0;
  uint32_t recovered = 0;
  uint32_t left = 0;
  uint32_t cut_off = 0; ///< stays that ended on the node's side
  uint32_t restarts = 0;
  /// From the end of all faults, or a drain, until all were members.
  duration settled{};
};

/// A world of three to five nodes and a registry over links that lose, double,
/// delay, reorder and are cut, one way or both; nodes crash, hang and drain,
/// the registry crashes. After every event: one live epoch a name; no epoch
/// that is over is accepted; no two nodes that act have one id; who acts has
/// been answered within the timeout, under an epoch that did not expire by
/// silence; who acts is not replaced. When the faults have stopped, the live
/// nodes are the members, and know it, within `cluster_settles_within`, and
/// stay it; then one of them is drained, leaves and joins again.
cluster_outcome run_cluster(uint64_t seed, cluster_bug bug = cluster_bug::none);

/// The timeout, until both sides know; twice the longest retry, since an
/// incarnation may turn out to be over; and four trips.
inline constexpr auto cluster_settles_within =
    duration{std::chrono::milliseconds{2000 + 2 * 2000 + 4 * 300}};

} // namespace troupe::testing
