#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/cluster/agent.hpp"

namespace troupe {

/// A node that runs for one stay in the cluster; one of the handles is set.
struct node_handles {
  prefill_actor prefill;
  decode_actor decode;
};

struct node_agent_options {
  agent_options agent;
  /// Where other nodes reach this process.
  node_address address;
  node_address registry;
  connector_actor connector;
  /// Starts a node of that number.
  std::function<node_handles(node_id)> start_node;
  /// May be empty. Called by the agent, so it must not block.
  std::function<void(const agent_news&)> news;
};

struct node_agent_state {
  static constexpr const char* name = "node_agent";
  node_agent_state() = default;
};

static_assert(!std::is_aggregate_v<node_agent_state>);

/// Behaviour of a node's agent. It never computes, so that it shows signs of
/// life however long the node's steps are. It ends once the node has left.
node_agent_actor::behavior_type
node_agent(actor_pointer<node_agent_actor, node_agent_state> self,
           node_agent_options opts);

} // namespace troupe
