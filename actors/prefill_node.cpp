#include "actors/prefill_node.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/error.hpp"
#include "actors/load_reporter.hpp"
#include "actors/owed_reply.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// The handles and the clock around a prefill node's state.
class performer {
public:
  explicit performer(actor_pointer<prefill_actor, prefill_state> self)
      : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  kv_destination_actor sender() const {
    return caf::actor_cast<kv_destination_actor>(self_->current_sender());
  }

  void submit(const prefill_job& m) {
    peers_.add(self_, m.decode);
    peers_.add(self_, m.stream);
    reporter_.changed();
    self_->state.submit(m, now());
    flush();
  }

  caf::result<drained> drain() {
    auto promise = self_->make_response_promise<drained>();
    drains_.emplace_back(promise);
    self_->state.drain();
    flush();
    return promise;
  }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    self_->state.peer_down(peer);
    flush();
  }

  // A few layers a message: whatever arrives meanwhile, a credit or a
  // cancellation above all, is handled before the next.
  void step(const step_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.begin_step(now());
    if (quit_if_alone())
      return;
    send_all();
    auto began = now();
    self_->state.compute();
    if (quit_if_alone())
      return;
    self_->state.end_step(began, now());
    flush();
  }

  void tick(const deadline_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.tick(now());
    flush();
  }

  void watch(const watch_load& m) {
    reporter_.watch(m.to);
    flush();
  }

  void flush() {
    send_all();
    timers_.arm_step(self_, self_->state.has_step());
    timers_.arm_deadline(self_, self_->state.has_handoffs());
    reporter_.report(self_, now(), !self_->state.has_step(), false,
                     [&] { return self_->state.load(); });
  }

private:
  // With a rank lost nothing is computed any more; what was to be goes on
  // elsewhere.
  bool quit_if_alone() {
    auto* lost = self_->state.failure();
    if (lost != nullptr)
      self_->quit(to_caf(*lost));
    return lost != nullptr;
  }

  void send_all() {
    auto effects = self_->state.take_effects();
    // Tokens first: whoever hears of the handoff has them already.
    flush_outputs(self_, std::move(effects.outputs));
    for (auto& [decode, m] : effects.to_decode)
      send_to_destination(self_, decode, m, effects.specs, effects.streams);
    if (effects.empty) {
      for (auto& d : drains_)
        d.deliver(*effects.empty);
      drains_.clear();
    }
  }

  actor_pointer<prefill_actor, prefill_state> self_;
  watched peers_;
  node_timers timers_;
  load_reporter reporter_;
  std::vector<owed_reply<drained>> drains_;
};

} // namespace

prefill_actor::behavior_type
prefill_node(actor_pointer<prefill_actor, prefill_state> self,
             node_options opts) {
  self->born_with([&] { return birth_of(opts); });
  self->state.init(std::move(opts));
  auto p = std::make_shared<performer>(self);
  auto& state = self->state;
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  return {
      [p, &state](const kv_grant& m) {
        state.on(m, p->sender(), p->now()), p->flush();
      },
      [p, &state](const kv_credit& m) { state.on(m, p->now()), p->flush(); },
      [p, &state](const kv_accepted& m) { state.on(m), p->flush(); },
      [p, &state](const kv_abort& m) { state.on(m), p->flush(); },
      [p](const prefill_job& m) { p->submit(m); },
      [p, &state](const cancel_sequence& m) { state.cancel(m), p->flush(); },
      [p](const drain_node&) { return p->drain(); },
      [p](const step_tick& t) { p->step(t); },
      [p](const deadline_tick& t) { p->tick(t); },
      [p](const watch_load& m) { p->watch(m); },
      [&state](const status_query& q) { return state.status(q); },
  };
}

} // namespace troupe
