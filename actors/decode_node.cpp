#include "actors/decode_node.hpp"

#include <caf/all.hpp>

#include "actors/send_handoff.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// The handles and the clock around a decode node's state.
class performer {
public:
  explicit performer(decode_actor::stateful_pointer<decode_state> self)
      : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  kv_source_actor sender() const {
    return caf::actor_cast<kv_source_actor>(self_->current_sender());
  }

  void watch(const handoff_offer& m) {
    peers_.add(self_, m.source);
    peers_.add(self_, m.stream);
  }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    self_->state.peer_down(peer, now());
    flush();
  }

  void step(const step_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.step();
    self_->state.admit_waiting(now());
    flush();
  }

  void tick(const deadline_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.tick(now());
    flush();
  }

  void flush() {
    auto effects = self_->state.take_effects();
    flush_outputs(self_, std::move(effects.outputs));
    for (auto& [source, m] : effects.to_source)
      send_to_source(self_, source, m);
    timers_.arm_step(self_, self_->state.has_step());
    timers_.arm_deadline(self_, self_->state.has_handoffs());
  }

private:
  decode_actor::stateful_pointer<decode_state> self_;
  watched peers_;
  node_timers timers_;
};

} // namespace

decode_actor::behavior_type
decode_node(decode_actor::stateful_pointer<decode_state> self,
            node_options opts) {
  self->state.init(std::move(opts));
  auto p = std::make_shared<performer>(self);
  auto& state = self->state;
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  return {
      [p, &state](const handoff_offer& m) {
        p->watch(m);
        state.on(m, p->now()), p->flush();
      },
      [p, &state](const kv_chunk& m) {
        state.on(m, p->sender(), p->now()), p->flush();
      },
      [p, &state](const kv_commit& m) {
        state.on(m, p->sender(), p->now()), p->flush();
      },
      [p, &state](const kv_abort& m) {
        state.on(m, p->sender(), p->now()), p->flush();
      },
      [p, &state](const cancel_sequence& m) {
        state.cancel(m, p->now()), p->flush();
      },
      [p](const step_tick& t) { p->step(t); },
      [p](const deadline_tick& t) { p->tick(t); },
      [&state](const status_query&) { return state.status(); },
  };
}

} // namespace troupe
