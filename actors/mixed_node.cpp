#include "actors/mixed_node.hpp"

#include <caf/all.hpp>

#include "actors/watched.hpp"

namespace troupe {

namespace {

// The handles around a mixed node's state.
class performer {
public:
  explicit performer(mixed_actor::stateful_pointer<mixed_state> self)
      : self_(self) {}

  void submit(const prefill_job& m) {
    peers_.add(self_, m.stream);
    self_->state.submit(m);
    flush();
  }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    self_->state.peer_down(peer);
    flush();
  }

  // One step a message: whatever arrives meanwhile is handled before the next.
  void step(const step_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.step();
    flush();
  }

  void flush() {
    flush_outputs(self_, self_->state.take_outputs());
    timers_.arm_step(self_, self_->state.has_step());
  }

private:
  mixed_actor::stateful_pointer<mixed_state> self_;
  watched peers_;
  node_timers timers_;
};

} // namespace

mixed_actor::behavior_type
mixed_node(mixed_actor::stateful_pointer<mixed_state> self, node_options opts) {
  self->state.init(std::move(opts));
  auto p = std::make_shared<performer>(self);
  auto& state = self->state;
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  return {
      [p](const prefill_job& m) { p->submit(m); },
      [p, &state](const cancel_sequence& m) { state.cancel(m), p->flush(); },
      [p](const step_tick& t) { p->step(t); },
      [&state](const status_query&) { return state.status(); },
  };
}

} // namespace troupe
