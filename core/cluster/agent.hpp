#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/base/time.hpp"
#include "core/cluster/member.hpp"

namespace troupe {

/// What an agent tells its host, for a log.
struct agent_news {
  enum class kind : uint8_t {
    /// The registry cannot be reached; it is tried again.
    unreachable,
    /// The node may be given work.
    ready,
    /// A peer cannot be reached: what goes there takes the long way.
    peer_unreachable,
    /// Its stay is over, and it joins again.
    fenced,
    /// It gives its sequences up.
    draining,
    /// It has left; the agent ends.
    left,
    /// It may not join, for good; the agent ends.
    refused,
  };
  kind what = kind::ready;
  node_id node = 0;
  std::string reason;
  auto fields() { return std::tie(what, node, reason); }
};

/// In a word or two.
std::string_view to_string(agent_news::kind k);

struct agent_options {
  /// What a join says, but for incarnation and number.
  join_request self;
  member_options member;
  /// Until the registry is dialed again, doubled each time up to the most.
  duration first_redial = std::chrono::milliseconds{100};
  duration max_redial = std::chrono::seconds{2};
};

/// What a call wants done, in this order.
struct agent_output {
  std::vector<member_message> send; ///< to the registry
  /// Answered by found() or unreachable().
  bool dial_registry = false;
  /// Answered by peer_reached() or peer_unreachable().
  std::optional<node_address> dial_peer;
  struct stay {
    node_id node = 0;
    membership_epoch epoch = 0;
  };
  /// Start a node, and tell the registry that it is ready.
  std::optional<stay> start;
  /// End it at once, with all that it has; answered by node_ended().
  bool kill_node = false;
  /// The agent has nothing more to do, nor its node.
  bool over = false;
  std::vector<agent_news> news;
};

/// Keeps a node in a cluster: finds the registry, joins as a `member`, has the
/// node started once its peers are connected, and ended when its stay is over,
/// and begins anew. A stay is one life of the node, so nothing is left of it.
/// Pure: what happened and the time go in, what to do comes out.
class agent {
public:
  explicit agent(agent_options options);

  void start(agent_output& out);

  // -- connections ------------------------------------------------------------

  void found(time_point now, agent_output& out);
  void unreachable(std::string why, time_point now, agent_output& out);
  /// Its connection broke, or its process died.
  void lost_registry(time_point now, agent_output& out);
  void peer_reached(agent_output& out);
  void peer_unreachable(const std::string& why, agent_output& out);

  // -- what the registry says -------------------------------------------------

  /// join_reply, name_taken, heartbeat_ack, drain_order, epoch_over.
  template <class Message>
  void on(const Message& m, time_point now, agent_output& out) {
    auto o = member_output{};
    member_.on(m, now, o);
    act(std::move(o), now, out);
  }
  void on(const node_peers& m) { peers_ = m; }
  void on(const node_emptied& m, time_point now, agent_output& out);

  // -- the node, and its host -------------------------------------------------

  /// It ended, by itself or as it was told to.
  void node_ended(time_point now, agent_output& out);
  void load(const node_load& load, time_point now, agent_output& out);
  /// Drains the node, then leaves.
  void leave(time_point now, agent_output& out);

  void tick(time_point now, agent_output& out);
  /// When to tick next; none: never.
  std::optional<time_point> next_deadline() const;

private:
  void act(member_output o, time_point now, agent_output& out);
  void act(const member_event& e, time_point now, agent_output& out);
  void reach_next_peer(agent_output& out);
  void fence(time_point now, agent_output& out);
  void drop(time_point now, agent_output& out);
  void redial_later(time_point now);
  void end(agent_news::kind how, std::string why, agent_output& out);
  void tell(agent_news::kind what, std::string why, agent_output& out) const;

  agent_options options_;
  member member_;
  bool connected_ = false; ///< to the registry
  bool dialing_ = false;
  duration redial_;
  std::optional<time_point> redial_at_;
  node_peers peers_;
  size_t next_peer_ = 0;
  std::optional<agent_output::stay> joining_; ///< not started yet
  bool running_ = false;                      ///< there is a node
  bool leaving_ = false;
  bool over_ = false;
};

} // namespace troupe
