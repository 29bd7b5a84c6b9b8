#include "actors/decode_node.hpp"

#include <caf/all.hpp>

#include "actors/batch_controller.hpp"
#include "actors/births.hpp"
#include "actors/error.hpp"
#include "actors/load_reporter.hpp"
#include "actors/move_replies.hpp"
#include "actors/preempt_scheduler.hpp"
#include "actors/send_handoff.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// The handles and the clock around a decode node's state.
class performer {
public:
  explicit performer(actor_pointer<decode_actor, decode_state> self,
                     const node_options& opts)
      : self_(self), store_(opts.store) {
    if (store_)
      peers_.add(self_, store_);
    if (opts.slo) {
      auto o = batch_controller_options{};
      o.slo = *opts.slo;
      o.most = {std::max(1u, opts.max_batch), opts.prefill_chunk};
      o.granularity = kv_block_tokens;
      controller_ = self_->spawn(batch_control, o);
    }
    if (opts.preempt) {
      scheduler_ = self_->spawn(preempt_scheduler, schedule_sink{self_},
                                schedule_policy{});
      peers_.add(self_, scheduler_);
    }
  }

  time_point now() const { return time_point{self_->clock().now()}; }

  template <class Handle>
  Handle sender() const {
    return caf::actor_cast<Handle>(self_->current_sender());
  }

  void submit(prefill_job& m) {
    peers_.add(self_, m.stream);
    reporter_.changed();
    self_->state.submit(std::move(m), now());
    flush(hurried());
  }

  void offer(const handoff_offer& m) {
    peers_.add(self_, m.source);
    peers_.add(self_, m.stream);
    self_->state.on(m, now());
    flush();
  }

  caf::result<migrated> migrate(const migrate_sequence& m) {
    auto promise = self_->make_response_promise<migrated>();
    replies_.add(m.request, owed_reply<migrated>{promise});
    peers_.add(self_, m.to);
    self_->state.migrate(m.request, m.to, now());
    flush();
    return promise;
  }

  caf::result<drained> drain(const drain_node& m) {
    auto promise = self_->make_response_promise<drained>();
    replies_.add(owed_reply<drained>{promise});
    for (auto& peer : m.peers)
      peers_.add(self_, peer);
    self_->state.drain(m.peers, now());
    flush();
    return promise;
  }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    if (scheduler_ == peer)
      self_->state.without_scheduler(now());
    else
      self_->state.peer_down(peer, now());
    flush();
  }

  // One step a message: whatever arrives meanwhile, a cancellation above all,
  // is handled before the next. Where nothing has arrived, and what a step gave
  // is kept for the next one, that follows at once.
  void step(const step_tick& t) {
    if (!timers_.due(t))
      return;
    auto& state = self_->state;
    auto ended = time_point{};
    for (auto n = 1u; compute(ended) && n < most_steps && nobody_waits(); ++n)
      ;
    // What it had goes on elsewhere.
    if (auto* lost = state.failure())
      return self_->quit(to_caf(*lost));
    rearm(again(ended), state.has_first_tokens() && hurried());
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

  void flush(bool soon = false) {
    self_->state.look(now());
    send_all();
    rearm(now(), soon);
  }

private:
  // Steps of one message, at most.
  static constexpr auto most_steps = 16u;

  // Recordings of nodes that keep no tokens have more looks at the clock.
  time_point again(time_point t) const {
    return self_->state.keeps_tokens() ? t : now();
  }

  bool nobody_waits() const {
    return tracing::asked<bool>([this] { return self_->mailbox().empty(); });
  }

  // One step. Whether all that is to be sent is kept; when it ended.
  bool compute(time_point& ended) {
    auto& state = self_->state;
    auto began = now();
    // Whoever waits for what moves need not wait for the step.
    if (state.advance_moves(began)) {
      send_all();
      began = now();
    } else {
      began = again(began);
    }
    state.step(began);
    if (state.failure())
      return false;
    ended = now();
    auto took = ended - began;
    auto report = state.stepped(took, ended);
    if (controller_)
      self_->send(controller_, std::move(report));
    state.look(again(ended));
    if (state.keeps_outputs(ended, took))
      return true;
    send_all();
    return false;
  }

  // First tokens wait for what is done here, and more is to come. Recordings
  // have their reports where they were.
  bool hurried() const {
    return self_->state.has_step() && tracing::mode_now() == 0;
  }

  void rearm(time_point now, bool soon = false) {
    auto& state = self_->state;
    timers_.arm_step(self_, state.has_step());
    timers_.arm_deadline(self_, state.has_handoffs());
    reporter_.report(self_, now, !state.has_step(), soon,
                     [&] { return state.load(); });
  }

  void send_all() {
    if (auto outputs = self_->state.take_outputs())
      flush_outputs(self_, std::move(*outputs));
    else
      send_effects();
  }

  // Out of the way of what most steps run.
  [[gnu::noinline]] void send_effects() {
    auto effects = self_->state.take_effects();
    for (auto& [stream, m] : effects.moves) {
      m.holder = caf::actor_cast<sequence_holder>(decode_actor{self_});
      self_->send(stream, std::move(m));
    }
    // Tokens first: whoever hears of a handoff has them already.
    flush_outputs(self_, std::move(effects.outputs));
    for (auto& [source, m] : effects.to_source)
      send_to_source(self_, source, m);
    for (auto& [to, m] : effects.to_destination)
      send_to_destination(self_, to, m, effects.specs, effects.streams);
    for (auto& m : effects.fetches) {
      if (!m.to)
        m.to = caf::actor_cast<kv_destination_actor>(decode_actor{self_});
      self_->send(store_, std::move(m));
    }
    for (auto& m : effects.drops)
      if (store_)
        self_->send(store_, m);
    for (auto& [request, how] : effects.migrations)
      replies_.answer(request, how);
    if (effects.empty)
      replies_.answer(*effects.empty);
    if (effects.view && scheduler_)
      self_->send(scheduler_, std::move(*effects.view));
  }

  actor_pointer<decode_actor, decode_state> self_;
  kv_store_actor store_;
  preempt_scheduler_actor scheduler_;
  batch_controller_actor controller_;
  watched peers_;
  node_timers timers_;
  load_reporter reporter_;
  move_replies replies_;
};

} // namespace

decode_actor::behavior_type
decode_node(actor_pointer<decode_actor, decode_state> self, node_options opts) {
  self->born_with([&] { return birth_of(opts); });
  auto p = std::make_shared<performer>(self, opts);
  self->state.init(std::move(opts));
  auto& state = self->state;
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  // What comes most stands first: CAF looks at one after the other.
  return {
      [p](const step_tick& t) { p->step(t); },
      [p](prefill_job& m) { p->submit(m); },
      [p](const handoff_offer& m) { p->offer(m); },
      [p, &state](const kv_chunk& m) {
        state.on(m, p->sender<kv_source_actor>(), p->now()), p->flush();
      },
      [p, &state](const kv_commit& m) {
        state.on(m, p->sender<kv_source_actor>(), p->now()), p->flush();
      },
      [p, &state](const kv_abort& m) {
        state.on(m, p->sender<caf::actor_addr>(), p->now()), p->flush();
      },
      [p, &state](const cancel_sequence& m) {
        state.cancel(m, p->now()), p->flush();
      },
      [p, &state](const kv_grant& m) {
        state.on(m, p->sender<kv_destination_actor>(), p->now()), p->flush();
      },
      [p, &state](const kv_credit& m) {
        state.on(m, p->sender<caf::actor_addr>(), p->now()), p->flush();
      },
      [p, &state](const kv_accepted& m) {
        state.on(m, p->sender<caf::actor_addr>(), p->now()), p->flush();
      },
      [p](const migrate_sequence& m) { return p->migrate(m); },
      [p](const drain_node& m) { return p->drain(m); },
      [p, &state](const preempt_sequence& m) {
        state.on(m, p->now()), p->flush();
      },
      [p](const deadline_tick& t) { p->tick(t); },
      [p, &state](const schedule_plan& m) {
        state.on(m, p->now()), p->flush();
      },
      [&state](const batch_limits& m) { state.on(m); },
      [p](const watch_load& m) { p->watch(m); },
      [&state](const status_query& q) { return state.status(q); },
  };
}

} // namespace troupe
