#include "actors/kv_store.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/send_handoff.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// The handles and the clock around a KV store's state.
class performer {
public:
  explicit performer(actor_pointer<kv_store_actor, kv_store_state> self)
      : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  template <class Handle>
  Handle sender() const {
    return caf::actor_cast<Handle>(self_->current_sender());
  }

  void watch(const handoff_offer& m) {
    peers_.add(self_, m.source);
    peers_.add(self_, m.stream);
  }

  void watch(const fetch_sequence& m) { peers_.add(self_, m.to); }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    self_->state.peer_down(peer);
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
    for (auto& [source, m] : effects.to_source)
      send_to_source(self_, source, m);
    for (auto& [to, m] : effects.to_destination)
      send_to_destination(self_, to, m, effects.specs, effects.streams);
    timers_.arm_deadline(self_, self_->state.has_handoffs());
  }

private:
  actor_pointer<kv_store_actor, kv_store_state> self_;
  watched peers_;
  node_timers timers_;
};

} // namespace

kv_store_actor::behavior_type
kv_store(actor_pointer<kv_store_actor, kv_store_state> self,
         kv_store_options opts) {
  self->born_with([&] { return birth_of(opts); });
  using source = kv_source_actor;
  using destination = kv_destination_actor;
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
        state.on(m, p->sender<source>(), p->now()), p->flush();
      },
      [p, &state](const kv_commit& m) {
        state.on(m, p->sender<source>(), p->now()), p->flush();
      },
      [p, &state](const kv_abort& m) {
        state.on(m, p->sender<caf::actor_addr>()), p->flush();
      },
      [p, &state](const kv_grant& m) {
        state.on(m, p->sender<destination>(), p->now()), p->flush();
      },
      [p, &state](const kv_credit& m) {
        state.on(m, p->sender<caf::actor_addr>(), p->now()), p->flush();
      },
      [p, &state](const kv_accepted& m) {
        state.on(m, p->sender<caf::actor_addr>()), p->flush();
      },
      [p, &state](const fetch_sequence& m) {
        p->watch(m);
        state.on(m, p->now()), p->flush();
      },
      [p, &state](const cancel_sequence& m) { state.cancel(m), p->flush(); },
      [p](const deadline_tick& t) { p->tick(t); },
      [&state](const status_query&) { return state.status(); },
  };
}

} // namespace troupe
