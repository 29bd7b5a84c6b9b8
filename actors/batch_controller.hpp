#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/serving/batch_controller.hpp"

namespace troupe {

/// A batch controller, and what its node was told last.
class batch_control_state {
public:
  static constexpr const char* name = "batch_controller";

  batch_control_state() = default;

  void init(const batch_controller_options& options) {
    controller_ = batch_controller{options};
  }

  /// Limits that `node` does not know yet, if there are any.
  std::optional<batch_limits> on(const step_report& m,
                                 const caf::actor_addr& node);

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  batch_controller controller_;
  caf::actor_addr node_; ///< who was told
  batch_limits told_;
};

static_assert(!std::is_aggregate_v<batch_control_state>);

/// Behaviour of the batch controller of a node.
batch_controller_actor::behavior_type
batch_control(actor_pointer<batch_controller_actor, batch_control_state> self,
              const batch_controller_options& options);

} // namespace troupe
