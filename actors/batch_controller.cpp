#include "actors/batch_controller.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"

namespace troupe {

std::optional<batch_limits>
batch_control_state::on(const step_report& m, const caf::actor_addr& node) {
  controller_.record(m.shape, duration{m.took});
  auto limits = controller_.next(m.demand);
  if (node == node_ && limits == told_)
    return std::nullopt;
  node_ = node;
  told_ = limits;
  return limits;
}

batch_controller_actor::behavior_type
batch_control(actor_pointer<batch_controller_actor, batch_control_state> self,
              const batch_controller_options& options) {
  self->born_with([&] { return birth_of(options); });
  self->state.init(options);
  return {
      [self](const step_report& m) {
        auto node = caf::actor_cast<batch_limits_sink>(self->current_sender());
        auto address = caf::actor_cast<caf::actor_addr>(node);
        if (auto limits = self->state.on(m, address); limits && node)
          self->send(node, *limits);
      },
  };
}

} // namespace troupe
