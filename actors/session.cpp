#include "actors/session.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/error.hpp"

namespace troupe {

namespace {

// What a session does with its state's answers: the handles, and the order in
// which messages leave.
class performer {
public:
  performer(actor_pointer<session_actor, session_state> self,
            gateway_actor gateway, registry_actor registry, client_actor client)
      : self_(self), gateway_(std::move(gateway)),
        registry_(std::move(registry)), client_(std::move(client)) {
    self_->monitor(gateway_);
    self_->monitor(registry_);
    self_->monitor(client_);
  }

  void start() {
    if (auto refusal = state().reserve(now()))
      end(std::move(*refusal));
    // It may take a while: who is over their limits does not get it.
    else if (auto bad = state().check_form(now()))
      end(std::move(*bad));
    else if (state().options().audit)
      record_admission();
    else
      choose_version();
  }

  void place() {
    if (state().finished() || state().where() || placing_ || asking_)
      return;
    auto spec = state().next_placement(now());
    if (!spec)
      return end(finish_reason::error, state().last_error());
    placing_ = true;
    self_->request(registry_, state().options().patience, state().wish())
        .then(
            [this, spec = std::move(*spec)](placement& where) mutable {
              placing_ = false;
              run(std::move(where), std::move(spec));
              record();
            },
            [this](const caf::error& e) {
              auto why = from_caf(e);
              // The registry may yet place it, for nobody.
              if (why.code != errc::timeout)
                placing_ = false;
              if (why.code == errc::no_node && state().wait_for_node(now()))
                self_->delayed_send(self_, state().options().node_retry,
                                    deadline_tick{});
              else
                end(finish_reason::error, std::move(why));
            });
  }

  void take(const sequence_output& o) { react(state().take(o, now())); }

  void react(session_state::reaction r) {
    for (auto& t : r.tokens)
      self_->send(client_, std::move(t));
    if (r.finish)
      end(std::move(*r.finish));
    else if (r.place_again)
      place_later();
    record();
  }

  void moved(const sequence_moved& m) {
    auto before = state().holder();
    if (!state().moved(m, now())) {
      self_->send(m.holder, cancel_sequence{m.seq, last_move(m.epoch)});
    } else if (state().holder() != before) {
      if (before)
        self_->demonitor(caf::actor_cast<caf::actor_addr>(before));
      self_->monitor(m.holder);
      self_->send(registry_, placement_moved{m.request, m.node});
    }
    record();
  }

  void cancel() { end(finish_reason::cancelled); }

  void down(const caf::actor_addr& peer) {
    if (client_ == peer)
      end(finish_reason::cancelled);
    else if (gateway_ == peer)
      end(finish_reason::error, {errc::abandoned, "the gateway is gone"});
    else if (state().options().cache == peer) {
      asking_ = false;
      place();
    } else if (registry_ == peer && placing_)
      end(finish_reason::error, {errc::abandoned, "the registry is gone"});
    else
      lost(peer);
  }

  // A node died, or was given up.
  void lost(const caf::actor_addr& node) {
    if (!state().lost(node, now()))
      return;
    record();
    // The registry need not have heard of it: this session avoids it. Who loses
    // one node after the other waits for the registry.
    if (state().placements() > 1)
      return place_later();
    leave();
    place();
  }

private:
  // Nothing is begun that the log does not know of.
  void record_admission() {
    asking_ = true;
    self_
        ->request(state().options().audit->log, state().options().patience,
                  audit_batch{state().take_records()})
        .then(
            [this](const audit_receipt&) {
              asking_ = false;
              if (!state().finished())
                choose_version();
            },
            [this](const caf::error& e) {
              end(finish_reason::error,
                  {errc::io_error,
                   "the request cannot be recorded: " + from_caf(e).message});
            });
  }

  void record() {
    for (auto& r : state().take_records())
      self_->send(state().options().audit->log, audit_note{std::move(r)});
  }

  void choose_version() {
    auto wanted = state().wanted_version();
    if (!wanted)
      return ask_cache();
    asking_ = true;
    self_
        ->request(state().options().versions, state().options().patience,
                  std::move(*wanted))
        .then(
            [this](const routed_version& v) {
              asking_ = false;
              state().on(v, now());
              record();
              ask_cache();
            },
            [this](const caf::error& e) {
              end(finish_reason::error, from_caf(e));
            });
  }

  // For as long as another session takes to compute the same answer, which the
  // cache limits.
  void ask_cache() {
    auto question = state().cached_question(now());
    if (!question || state().finished())
      return place();
    asking_ = true;
    auto& cache = state().options().cache;
    // Whoever waits for it would not hear that it is gone.
    self_->monitor(cache);
    self_->request(cache, caf::infinite, std::move(*question))
        .then(
            [this](cache_reply& r) {
              leave_cache();
              react(state().on(std::move(r), now()));
              place();
            },
            [this](const caf::error&) {
              leave_cache();
              place();
            });
  }

  void leave_cache() {
    asking_ = false;
    self_->demonitor(caf::actor_cast<caf::actor_addr>(state().options().cache));
  }

  session_state& state() { return self_->state; }
  time_point now() const { return time_point{self_->clock().now()}; }

  void run(placement where, sequence_spec spec) {
    // Nothing is handed over.
    if (state().embeds())
      where.decode = nullptr;
    auto at = now(); // before the node could have begun
    self_->monitor(where.prefill);
    if (where.decode)
      self_->monitor(where.decode);
    self_->send(where.prefill,
                prefill_job{std::move(spec),
                            caf::actor_cast<kv_destination_actor>(where.decode),
                            caf::actor_cast<stream_actor>(gateway_)});
    state().placed(std::move(where), at);
  }

  template <class Handle>
  void leave(const Handle& node) {
    if (!node)
      return;
    self_->send(node, state().cancellation());
    self_->demonitor(caf::actor_cast<caf::actor_addr>(node));
  }

  // Frees the nodes. They may have forgotten the sequence by themselves; that
  // a message of theirs got lost must not keep blocks anywhere.
  void leave() {
    auto where = state().take_where();
    if (where) {
      leave(where->prefill);
      leave(where->decode);
      leave(state().take_holder());
    }
    if (where || std::exchange(placing_, false))
      self_->send(registry_, release_placement{state().request()});
  }

  void place_later() {
    leave();
    self_->delayed_send(self_, state().backoff(), deadline_tick{});
  }

  void end(finish_reason reason, error why = {}) {
    if (auto e = state().finish(reason, now(), std::move(why)))
      end(std::move(*e));
  }

  void end(finish_event e) {
    leave();
    record();
    self_->send(client_, std::move(e));
    if (auto fill = state().take_fill())
      self_->send(state().options().cache, std::move(*fill));
    if (auto verdict = state().take_verdict())
      self_->send(state().options().versions, *verdict);
    if (auto profile = state().take_profile(now()))
      self_->send(state().options().profiler, std::move(*profile));
    self_->send(gateway_, session_done{state().request()});
    // The monitored outlive many sessions: leave nothing behind.
    if (auto& cache = state().options().cache)
      self_->demonitor(caf::actor_cast<caf::actor_addr>(cache));
    self_->demonitor(caf::actor_cast<caf::actor_addr>(gateway_));
    self_->demonitor(caf::actor_cast<caf::actor_addr>(registry_));
    self_->demonitor(caf::actor_cast<caf::actor_addr>(client_));
    self_->quit();
  }

  actor_pointer<session_actor, session_state> self_;
  gateway_actor gateway_;
  registry_actor registry_;
  client_actor client_;
  bool asking_ = false; ///< for a version, or an answer
  bool placing_ = false;
};

} // namespace

session_actor::behavior_type
session(actor_pointer<session_actor, session_state> self, gateway_actor gateway,
        registry_actor registry, client_actor client, generate_request request,
        sequence_spec spec, std::shared_ptr<const tokenizer> text,
        session_options opts) {
  self->born_with([&] {
    return session_birth{gateway, registry,        client,           request,
                         spec,    text != nullptr, settings_of(opts)};
  });
  self->state.init(std::move(request), std::move(spec), std::move(text),
                   std::move(opts), time_point{self->clock().now()});
  auto p = std::make_shared<performer>(self, std::move(gateway),
                                       std::move(registry), std::move(client));
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  p->start();
  return {
      [p](const sequence_output& o) { p->take(o); },
      [p](const sequence_moved& m) { p->moved(m); },
      [p](const cancel_request&) { p->cancel(); },
      [p](const deadline_tick&) { p->place(); },
      [p](const node_gone& m) {
        p->lost(caf::actor_cast<caf::actor_addr>(m.handle));
      },
  };
}

} // namespace troupe
