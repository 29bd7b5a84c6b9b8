#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/cluster/compatibility.hpp"
#include "core/cluster/messages.hpp"

namespace troupe {

struct membership_options {
  /// What nodes of `version` have in common; the class of processor is that of
  /// all.
  cluster_profile cluster;
  version_id version = 1;
  /// Greater each time the registry starts, by at least the joins of the life
  /// before: the wall clock, in milliseconds. Epochs and ids of nodes count up
  /// from it, so that those of a former life do not come again (ids: before
  /// 2^32 of them went by, which by that clock takes seven weeks).
  /// REQUIRES: 0 < life < 2^44.
  uint64_t life = 1;
  /// Between two heartbeats of a node.
  duration interval = std::chrono::milliseconds{250};
  /// Silence until a node gets no new work.
  duration suspect_after = std::chrono::seconds{1};
  /// Silence until it is fenced. A node stops by itself no later.
  duration timeout = std::chrono::seconds{2};
  uint32_t max_nodes = 1024;
};

struct member_record {
  std::string name;
  node_role role = node_role::prefill;
  version_id version = 1; ///< of the model, that it serves
  uint64_t incarnation = 0;
  membership_epoch epoch = 0;
  uint32_t threads = 0;
  bool suspect = false;
  bool draining = false; ///< it was told to, or says so
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
    dismissed,
  };
  kind what = kind::joined;
  node_id node = 0;
  membership_epoch epoch = 0;
  std::string name;
};

/// What a call wants done, in this order.
struct membership_output {
  struct order {
    node_id to = 0;
    registry_message what;
  };
  /// To whoever sent the message.
  std::vector<registry_message> answers;
  /// To nodes; also to those that are no longer members by the events below.
  std::vector<order> orders;
  std::vector<membership_event> events;
};

/// Who is in the cluster: the registry's side. Pure: messages and the time go
/// in, messages and events come out. A stay that is over is forgotten, so that
/// its epoch is as unknown as one that never was.
///
/// Nobody is fenced without a fault as long as a message and its answer, and an
/// interval, together take less than the timeout, and a join and its answer
/// less than half of it.
class membership {
public:
  /// REQUIRES: interval < suspect_after < timeout.
  explicit membership(membership_options options);

  /// Nodes may also join with that model.
  void admit(version_id version, const std::string& model,
             const kv_layout& layout);
  /// No longer: its nodes are fenced.
  void dismiss(version_id version, membership_output& out);

  /// Takes the node in, or says why not. Who joins under a name in use, and
  /// knows by whom, fences that one; an incarnation that is over may not come
  /// back.
  void on(const join_request& m, time_point now, membership_output& out);
  /// O(log n). A load that is not plausible() is dropped, not the sign of life.
  void on(const heartbeat& m, time_point now, membership_output& out);
  void on(const leave& m, membership_output& out);

  /// A monitor says that the node's process died.
  void down(node_id node, membership_output& out);
  /// No new work for the node, which is told until it drains; its leave ends
  /// it, and it may join again. Errors: no_node.
  result<node_id> drain(std::string_view name, membership_output& out);
  /// Suspects and fences who fell silent.
  void tick(time_point now, membership_output& out);
  /// When tick() has something to do; none: never.
  std::optional<time_point> next_deadline() const;

  const std::map<node_id, member_record>& members() const { return members_; }
  /// nullptr: no such member.
  const member_record* find(node_id node) const;

private:
  using kind = membership_event::kind;
  using record_map = std::map<node_id, member_record>;

  join_reply accept(const join_request& m, node_id node) const;
  node_id add(const join_request& m, version_id version, time_point now,
              membership_output& out);
  node_id next_id();
  void heard(record_map::iterator i, uint64_t number, time_point now,
             membership_output& out);
  void remove(record_map::iterator i, kind why, membership_output& out);
  void spend(uint64_t incarnation);
  time_point deadline(const member_record& r) const;
  record_map::iterator locate(node_id node, membership_epoch epoch);

  const std::pair<const version_id, cluster_profile>*
  profile_of(const join_request& m) const;

  membership_options options_;
  std::map<version_id, cluster_profile> profiles_; ///< by version
  node_id next_node_;
  uint64_t stays_ = 0; ///< in this life
  record_map members_;
  std::map<std::string, node_id, std::less<>> by_name_;
  std::set<std::pair<time_point, node_id>> deadlines_;
  // Incarnations that are over, the latest of them: a join that was long under
  // way must not fence the node's next life.
  std::set<uint64_t> spent_;
  std::deque<uint64_t> spent_order_;
};

} // namespace troupe
