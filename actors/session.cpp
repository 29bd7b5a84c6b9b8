#include "actors/session.hpp"

#include <caf/all.hpp>

#include "actors/births.hpp"
#include "actors/error.hpp"
#include "actors/session_performer.hpp"

namespace troupe {

session_performer::session_performer(pointer self)
    : self_(self), gateway_(state().task().gateway),
      registry_(state().task().registry), client_(state().task().client) {
  self_->monitor(gateway_);
  self_->monitor(client_);
}

// -- a node -------------------------------------------------------------------

void session_performer::place() {
  if (state().finished() || state().where() || placing_ || asking_)
    return;
  auto spec = state().next_placement(now());
  if (!spec)
    return end(finish_reason::error, state().last_error());
  if (auto* book = nodes())
    // What is not in it yet may be on its way to the registry: that is asked.
    if (auto where = book->place(state().wish())) {
      run(std::move(*where), std::move(*spec));
      return record();
    }
  placing_ = true;
  if (!std::exchange(asked_, true))
    self_->monitor(registry_);
  self_->request(registry_, state().options().patience, state().wish())
      .then(
          [this, spec = std::move(*spec)](placement& where) mutable {
            placing_ = false;
            run(std::move(where), std::move(spec));
            record();
          },
          [this](const caf::error& e) { not_placed(from_caf(e)); });
}

// What the registry was asked is not to be overtaken.
node_book* session_performer::nodes() {
  return asked_ ? nullptr : state().nodes();
}

template <class What>
void session_performer::tell_registry(const What& what) {
  auto* book = nodes();
  if (!book)
    self_->send(registry_, what);
  else if constexpr (std::is_same_v<What, placement_moved>)
    book->move(what);
  else
    book->release(what);
}

void session_performer::not_placed(error why) {
  // The registry may yet place it, for nobody.
  if (why.code != errc::timeout)
    placing_ = false;
  if (why.code == errc::no_node && state().wait_for_node(now()))
    self_->delayed_send(self_, state().options().node_retry, deadline_tick{});
  else
    end(finish_reason::error, std::move(why));
}

void session_performer::run(placement where, sequence_spec spec) {
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

void session_performer::moved(const sequence_moved& m) {
  auto before = state().holder();
  if (!state().moved(m, now())) {
    self_->send(m.holder, cancel_sequence{m.seq, last_move(m.epoch)});
  } else if (state().holder() != before) {
    if (before)
      self_->demonitor(caf::actor_cast<caf::actor_addr>(before));
    self_->monitor(m.holder);
    tell_registry(placement_moved{m.request, m.node});
  }
  record();
}

void session_performer::down(const caf::actor_addr& peer) {
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

void session_performer::lost(const caf::actor_addr& node) {
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

template <class Handle>
void session_performer::leave(const Handle& node) {
  if (!node)
    return;
  self_->send(node, state().cancellation());
  self_->demonitor(caf::actor_cast<caf::actor_addr>(node));
}

// Frees the nodes. They may have forgotten the sequence by themselves; that a
// message of theirs got lost must not keep blocks anywhere.
void session_performer::leave() {
  auto where = state().take_where();
  if (where) {
    leave(where->prefill);
    leave(where->decode);
    leave(state().take_holder());
  }
  if (where || std::exchange(placing_, false))
    tell_registry(release_placement{state().request()});
}

void session_performer::place_later() {
  leave();
  self_->delayed_send(self_, state().backoff(), deadline_tick{});
}

// -- tokens and the end -------------------------------------------------------

void session_performer::react(session_state::reaction r) {
  for (auto& t : r.tokens)
    self_->send(client_, std::move(t));
  if (r.finish)
    end(std::move(*r.finish));
  else if (r.place_again)
    place_later();
  record();
}

void session_performer::record() {
  for (auto& r : state().take_records())
    self_->send(state().options().audit->log, audit_note{std::move(r)});
}

void session_performer::end(finish_reason reason, error why) {
  if (auto e = state().finish(reason, now(), std::move(why)))
    end(std::move(*e));
}

void session_performer::end(finish_event e) {
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
  if (asked_)
    self_->demonitor(caf::actor_cast<caf::actor_addr>(registry_));
  self_->demonitor(caf::actor_cast<caf::actor_addr>(client_));
  self_->quit();
}

// -- behaviour ----------------------------------------------------------------

session_actor::behavior_type session(session_performer::pointer self,
                                     std::unique_ptr<session_task> task) {
  self->born_with([&] { return birth_of(*task); });
  self->state.init(std::move(task), time_point{self->clock().now()});
  auto p = std::make_shared<session_performer>(self);
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
