#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/cluster/compatibility.hpp"
#include "core/cluster/messages.hpp"

namespace troupe {

struct membership_options {
  cluster_profile cluster;
  /// Another, greater one each time the registry starts: epochs of a former
  /// life must not come again.
  uint32_t life = 1;
  /// Ids count up from here. Nodes of a former life may go by theirs for
  /// another `timeout`, so a later life begins beyond them.
  node_id first_node = 1;
  duration interval = std::chrono::milliseconds{500};
  /// Silence until a node gets no new work.
  duration suspect_after = std::chrono::seconds{1};
  /// Silence until it is fenced. A node stops by itself no later.
  duration timeout = std::chrono::seconds{2};
  uint32_t max_nodes = 1024;
};

struct member_record {
  std::string name;
  member_role role = member_role::prefill;
  uint64_t incarnation = 0;
  membership_epoch epoch = 0;
  uint32_t threads = 0;
  bool suspect = false;
  bool draining = false;
  node_load load;
  uint64_t number = 0; ///< greatest one heard
  time_point heard{};  ///< when that came
  bool takes_work() const { return !suspect && !draining; }
};

/// What became of a node, for whoever places sequences.
struct membership_event {
  enum class kind : uint8_t {
    joined,
    suspect,
    recovered,
    draining,
    /// By itself, with nothing left.
    left,
    // Fenced: its sequences go on elsewhere, what it still says is dropped.
    silent,
    died,
    replaced,
  };
  kind what = kind::joined;
  node_id node = 0;
  membership_epoch epoch = 0;
  std::string name;
};

using membership_events = std::vector<membership_event>;

/// Who is in the cluster: the registry's side. Pure: messages and the time go
/// in, answers and events come out. A stay that is over is forgotten, so that
/// its epoch is as unknown as one that never was.
class membership {
public:
  /// REQUIRES: interval < suspect_after < timeout.
  explicit membership(membership_options options);

  /// Takes the node in, or says why not. Who joins under a name in use fences
  /// who was there; an incarnation that is over may not come back.
  registry_message on(const join_request& m, time_point now,
                      membership_events& events);
  /// O(log n). A load that is not plausible() is dropped, not the sign of life.
  registry_message on(const heartbeat& m, time_point now,
                      membership_events& events);
  registry_message on(const leave& m, membership_events& events);

  /// A monitor says that the node's process died.
  void down(node_id node, membership_events& events);
  /// No new work for it; it is told with the next answer. no_node.
  result<void> drain(node_id node, membership_events& events);
  /// Suspects and fences who fell silent.
  void expire(time_point now, membership_events& events);
  /// When expire() has something to do; none: never.
  std::optional<time_point> next_deadline() const;

  const std::map<node_id, member_record>& members() const { return members_; }
  /// nullptr: no such member.
  const member_record* find(node_id node) const;

private:
  using kind = membership_event::kind;
  using record_map = std::map<node_id, member_record>;

  join_reply accept(const join_request& m, node_id node) const;
  node_id add(const join_request& m, time_point now, membership_events& events);
  void heard(record_map::iterator i, uint64_t number, time_point now,
             membership_events& events);
  void remove(record_map::iterator i, kind why, membership_events& events);
  void spend(uint64_t incarnation);
  time_point deadline(const member_record& r) const;
  record_map::iterator locate(node_id node, membership_epoch epoch);

  membership_options options_;
  node_id next_node_;
  uint32_t stays_ = 0; ///< in this life
  record_map members_;
  std::map<std::string, node_id> by_name_;
  std::set<std::pair<time_point, node_id>> deadlines_;
  // Incarnations that are over, the latest of them: a join that was long under
  // way must not fence the node's next life.
  std::set<uint64_t> spent_;
  std::deque<uint64_t> spent_order_;
};

} // namespace troupe
