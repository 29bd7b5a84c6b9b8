#include "actors/decode_node.hpp"

#include "actors/send_handoff.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

<<<<<<< HEAD
// -- admission ----------------------------------------------------------------
=======
// The handles and the clock around a decode node's state.
class performer {
public:
  explicit performer(decode_actor::stateful_pointer<decode_state> self)
      : self_(self) {}
>>>>>>> actors

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
    timers_.arm(self_, self_->state.has_step(), self_->state.has_handoffs());
  }

private:
  decode_actor::stateful_pointer<decode_state> self_;
  watched peers_;
  node_timers timers_;
};

<<<<<<< HEAD
// Drops every life of the sequence up to `epoch`, telling whoever sends it.
void decode_state::forget(seq_id seq, epoch_t epoch) {
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    auto box = kv_outbox{};
    i->second.receiver.abort(errc::cancelled, "the sequence was cancelled",
                             box);
    for (auto& m : box)
      out_.to_source.emplace_back(i->second.what.source, std::move(m));
    incoming_.erase(i);
  }
  std::erase_if(waiting_, [&](auto& w) {
    if (w.offer.seq != seq || w.offer.epoch > epoch)
      return false;
    refuse(w, {errc::cancelled, "the sequence was cancelled"});
    return true;
  });
  std::erase_if(running_, [&](auto& r) {
    return r.spec.seq == seq && r.spec.epoch <= epoch;
  });
}

void decode_state::cancel(const cancel_sequence& m, time_point now) {
  fence(m.seq, m.epoch);
  forget(m.seq, m.epoch);
  retry_waiting(now);
}

// -- handoff ------------------------------------------------------------------

decode_state::incoming_map::iterator decode_state::find(seq_id seq,
                                                        epoch_t epoch) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
             ? i
             : incoming_.end();
}

// Sends what a receiver answered, and acts on where it stands.
void decode_state::after(incoming_map::iterator i, kv_outbox box,
                         time_point now) {
  for (auto& m : box)
    out_.to_source.emplace_back(i->second.what.source, std::move(m));
  if (i->second.receiver.accepted()) {
    join(i, now);
  } else if (i->second.receiver.failed()) {
    incoming_.erase(i);
    retry_waiting(now);
  }
}

void decode_state::join(incoming_map::iterator i, time_point) {
  auto& in = i->second;
  auto r = running{};
  r.spec = std::move(in.what.spec);
  r.generated = in.receiver.committed().emitted;
  r.table = in.receiver.take_table();
  r.stream = in.what.stream;
  incoming_.erase(i);
  running_.push_back(std::move(r));
}

void decode_state::on(const kv_chunk& m, time_point now) {
  if (auto i = find(m.seq, m.epoch); i != incoming_.end()) {
    auto box = kv_outbox{};
    i->second.receiver.on(m, now, box);
    after(i, std::move(box), now);
  }
}

void decode_state::on(const kv_commit& m, time_point now) {
  auto i = find(m.seq, m.epoch);
  if (i == incoming_.end())
    return;
  // The position must agree with what the sequence said of itself: these
  // numbers index the prompt and the KV.
  auto& spec = i->second.what.spec;
  auto box = kv_outbox{};
  if (m.emitted.empty() || m.emitted.size() != spec.emitted.size() + 1
      || m.tokens + 1 != spec.prompt.size() + m.emitted.size())
    i->second.receiver.abort(errc::layout_mismatch,
                             "the committed position contradicts the tokens",
                             box);
  else
    i->second.receiver.on(m, now, box);
  after(i, std::move(box), now);
}

void decode_state::on(const kv_abort& m, time_point now) {
  if (auto i = find(m.seq, m.epoch); i != incoming_.end()) {
    i->second.receiver.on(m);
    after(i, {}, now);
  }
  std::erase_if(waiting_, [&](auto& w) {
    return w.offer.seq == m.seq && w.offer.epoch == m.epoch;
  });
  retry_waiting(now);
}

void decode_state::tick(time_point now) {
  auto seqs = std::vector<std::pair<seq_id, epoch_t>>{};
  for (auto& [seq, in] : incoming_)
    seqs.emplace_back(seq, in.receiver.epoch());
  for (auto [seq, epoch] : seqs)
    if (auto i = find(seq, epoch); i != incoming_.end()) {
      auto box = kv_outbox{};
      i->second.receiver.tick(now, box);
      after(i, std::move(box), now);
    }
}

void decode_state::peer_down(const caf::actor_addr& peer, time_point now) {
  std::erase_if(waiting_, [&](auto& w) { return w.source == peer; });
  std::erase_if(incoming_,
                [&](auto& x) { return x.second.what.source == peer; });
  retry_waiting(now);
}

// -- compute ------------------------------------------------------------------

void decode_state::step(time_point now) {
  auto count = std::min<size_t>(running_.size(), opts_.max_batch);
  if (count == 0)
    return;
  rows_.clear();
  for (size_t i = 0; i < count; ++i) {
    auto& r = running_[i];
    r.table.back(r.table.length() + 1);
    auto row = batch_row{};
    row.table = &r.table;
    row.tokens = std::span{&r.generated.back(), 1};
    rows_.push_back(row);
  }
  auto logits = engine_->forward(rows_);
  ++steps_;
  largest_batch_ = std::max(largest_batch_, static_cast<uint32_t>(count));
  auto vocab = logits ? logits->size() / count : 0;
  auto ended = std::vector<bool>(count, false);
  for (size_t i = 0; i < count; ++i) {
    auto& r = running_[i];
    auto index = static_cast<uint32_t>(r.generated.size());
    auto o = sequence_output{};
    o.request = r.spec.request;
    o.seq = r.spec.seq;
    o.epoch = r.spec.epoch;
    o.index = index;
    auto token = logits ? sampler_.sample(logits->subspan(i * vocab, vocab),
                                          r.spec.prompt, r.generated, index,
                                          r.spec.sampling)
                        : result<sampled>{logits.failure()};
    if (token) {
      append_token(o, r.spec, *token, index);
      r.generated.push_back(token->id);
    } else {
      o.reason = finish_reason::error;
      o.code = token.failure().code;
      o.message = token.failure().message;
    }
    ended[i] = o.reason != finish_reason::none;
    out_.outputs.emplace_back(r.stream, std::move(o));
  }
  // Those that had their turn go to the back, those that ended go away.
  for (size_t i = 0; i < count; ++i) {
    if (ended[i])
      fence(running_.front().spec.seq, running_.front().spec.epoch);
    else
      running_.push_back(std::move(running_.front()));
    running_.pop_front();
  }
  if (std::find(ended.begin(), ended.end(), true) != ended.end())
    retry_waiting(now);
}

node_status decode_state::status() const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::decode;
  s.sequences = static_cast<uint32_t>(running_.size() + incoming_.size());
  s.waiting = static_cast<uint32_t>(waiting_.size());
  s.blocks_in_use = pool_->in_use();
  s.blocks_total = pool_->capacity();
  s.steps = steps_;
  s.largest_batch = largest_batch_;
  return s;
}

// -- behaviour ----------------------------------------------------------------
=======
} // namespace
>>>>>>> actors

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
      [p, &state](const kv_abort& m) { state.on(m, p->now()), p->flush(); },
      [p, &state](const cancel_sequence& m) {
        state.cancel(m, p->now()), p->flush();
      },
      [p](const step_tick& t) { p->step(t); },
      [p](const deadline_tick& t) { p->tick(t); },
      [&state](const status_query&) { return state.status(); },
  };
}

} // namespace troupe
