#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <optional>
#include <string>

#include "actors/protocol/interfaces.hpp"
#include "core/cluster/member.hpp"

namespace troupe {

/// What an agent tells its host.
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
};

/// A node that runs for one stay in the cluster; one of the handles is set.
struct node_handles {
  prefill_actor prefill;
  decode_actor decode;
};

struct node_agent_options {
  /// What a join says, but for incarnation and number.
  join_request self;
  /// Where other nodes reach this process.
  node_address address;
  node_address registry;
  connector_actor connector;
  member_options member;
  /// Starts a node of that number. A stay in the cluster is an actor's life:
  /// with the actor goes all that it held.
  std::function<node_handles(node_id)> start_node;
  /// May be empty. Called by the agent, so it must not block.
  std::function<void(const agent_news&)> news;
  /// Until the registry is dialed again, doubled each time up to the most.
  std::chrono::milliseconds first_redial{100};
  std::chrono::milliseconds max_redial{2000};
};

struct node_agent_state {
  static constexpr const char* name = "node_agent";
  node_agent_state() = default;
};

static_assert(!std::is_aggregate_v<node_agent_state>);

/// Behaviour of a node's agent. It never computes, so that it shows signs of
/// life however long the node's steps are. It ends once the node has left.
node_agent_actor::behavior_type
node_agent(node_agent_actor::stateful_pointer<node_agent_state> self,
           node_agent_options opts);

} // namespace troupe
