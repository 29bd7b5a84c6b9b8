#include "actors/prefill_node.hpp"

#include "actors/watched.hpp"

namespace troupe {

<<<<<<< HEAD
// -- jobs ---------------------------------------------------------------------
=======
namespace {
>>>>>>> actors

// The handles and the clock around a prefill node's state.
class performer {
public:
  explicit performer(prefill_actor::stateful_pointer<prefill_state> self)
      : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  kv_destination_actor sender() const {
    return caf::actor_cast<kv_destination_actor>(self_->current_sender());
  }

  void submit(const prefill_job& m) {
    peers_.add(self_, m.decode);
    peers_.add(self_, m.stream);
    self_->state.submit(m);
    flush();
  }

  void down(const caf::actor_addr& peer) {
    peers_.down(peer);
    self_->state.peer_down(peer);
    flush();
  }

  // One chunk a message: whatever arrives meanwhile, a cancellation above
  // all, is handled before the next.
  void step(const step_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.begin_step(now());
    send_all();
    self_->state.compute();
    self_->state.end_step(now());
    flush();
  }

  void tick(const deadline_tick& t) {
    if (!timers_.due(t))
      return;
    self_->state.tick(now());
    flush();
  }

  void flush() {
    send_all();
    timers_.arm(self_, self_->state.has_step(), self_->state.has_handoffs());
  }

<<<<<<< HEAD
void prefill_state::fail(job& j, const error& e) {
  auto o = sequence_output{};
  o.request = j.what.spec.request;
  o.seq = j.what.spec.seq;
  o.epoch = j.what.spec.epoch;
  o.index = static_cast<uint32_t>(j.what.spec.emitted.size());
  o.reason = finish_reason::error;
  o.code = e.code;
  o.message = e.message;
  out.outputs.emplace_back(j.what.stream, std::move(o));
}

// -- handoff ------------------------------------------------------------------

prefill_state::job* prefill_state::find(seq_id seq, epoch_t epoch) {
  auto i = jobs_.find(seq);
  return i != jobs_.end() && i->second.what.spec.epoch == epoch
                 && i->second.sender
             ? &i->second
             : nullptr;
}

void prefill_state::send(job& j, kv_outbox box) {
  auto& spec = j.what.spec;
  for (auto& m : box) {
    if (std::holds_alternative<kv_offer>(m)) {
      out.specs[spec.seq] = spec;
      out.streams[spec.seq] = j.what.stream;
    }
    out.to_decode.emplace_back(j.what.decode, std::move(m));
=======
private:
  void send_all() {
    auto effects = self_->state.take_effects();
    // Tokens first: whoever hears of the handoff has them already.
    flush_outputs(self_, std::move(effects.outputs));
    for (auto& [decode, m] : effects.to_decode)
      send_to_destination(self_, decode, m, effects.specs, effects.streams);
>>>>>>> actors
  }

  prefill_actor::stateful_pointer<prefill_state> self_;
  watched peers_;
  node_timers timers_;
};

<<<<<<< HEAD
void prefill_state::on(const kv_grant& m, time_point now) {
  if (auto* j = find(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    j->sender->on(m, now, box);
    send(*j, std::move(box));
  }
}

void prefill_state::on(const kv_credit& m, time_point now) {
  if (auto* j = find(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    j->sender->on(m, now, box);
    send(*j, std::move(box));
  }
}

void prefill_state::on(const kv_accepted& m) {
  if (auto* j = find(m.seq, m.epoch)) {
    j->sender->on(m);
    settle(m.seq);
  }
}

void prefill_state::on(const kv_abort& m) {
  if (auto* j = find(m.seq, m.epoch)) {
    j->sender->on(m);
    settle(m.seq);
  }
}

void prefill_state::tick(time_point now) {
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, j] : jobs_)
    if (j.sender) {
      auto box = kv_outbox{};
      j.sender->tick(now, box);
      send(j, std::move(box));
      seqs.push_back(seq);
    }
  for (auto seq : seqs)
    settle(seq);
}

void prefill_state::peer_down(const caf::actor_addr& peer) {
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, j] : jobs_)
    if (j.what.decode == peer)
      seqs.push_back(seq);
  for (auto seq : seqs) {
    auto i = jobs_.find(seq);
    fail(i->second, {errc::abandoned, "the decode node is gone"});
    std::erase(queue_, seq);
    jobs_.erase(i);
  }
}

// -- compute ------------------------------------------------------------------

bool prefill_state::has_step() const {
  // The oldest prompt goes first; it waits for blocks, nobody overtakes it.
  if (queue_.empty())
    return false;
  auto& j = jobs_.at(queue_.front());
  return j.table.blocks() > 0
         || kv_layout::blocks_for(static_cast<uint32_t>(j.tokens.size()))
                <= pool_->available();
}

void prefill_state::start(job& j, time_point now) {
  auto& spec = j.what.spec;
  auto offer = kv_offer{};
  offer.seq = spec.seq;
  offer.epoch = spec.epoch;
  offer.model = opts_.weights->digest;
  offer.layout = pool_->layout();
  offer.blocks = kv_layout::blocks_for(static_cast<uint32_t>(j.tokens.size()));
  offer.max_blocks =
      std::max(offer.blocks, kv_layout::blocks_for(spec.max_length()));
  j.sender.emplace(std::move(offer), opts_.timing);
  auto box = kv_outbox{};
  j.sender->start(now, box);
  send(j, std::move(box));
}

void prefill_state::step(time_point now) {
  if (!has_step())
    return;
  auto seq = queue_.front();
  auto& j = jobs_.at(seq);
  auto total = static_cast<uint32_t>(j.tokens.size());
  if (!j.table.grow(*pool_, total))
    return;
  if (!j.sender)
    start(j, now);
  auto first = j.table.length();
  auto count = std::min(opts_.prefill_chunk, total - first);
  auto last = first + count == total;
  auto row = batch_row{};
  row.table = &j.table;
  row.tokens = std::span{j.tokens}.subspan(first, count);
  row.want_logits = last;
  auto logits = engine_->forward({&row, 1});
  ++steps_;
  if (!logits) {
    fail(j, logits.failure());
    drop(jobs_.find(seq), logits.failure().code, logits.failure().message);
    return;
  }
  // Chunks end at block boundaries but for the last, so what is pushed here
  // is never written again.
  auto first_block = first / kv_block_tokens;
  auto blocks = kv_layout::blocks_for(first + count) - first_block;
  auto box = kv_outbox{};
  j.sender->push(j.table, first_block, blocks, 0, pool_->layout().layers, now,
                 box);
  send(j, std::move(box));
  if (last) {
    queue_.pop_front();
    finish_prefill(j, *logits, now);
  }
}

void prefill_state::finish_prefill(job& j, std::span<const float> logits,
                                   time_point now) {
  auto& spec = j.what.spec;
  auto index = static_cast<uint32_t>(spec.emitted.size());
  auto token =
      sampler_.sample(logits, spec.prompt, spec.emitted, index, spec.sampling);
  if (!token) {
    fail(j, token.failure());
    drop(jobs_.find(spec.seq), token.failure().code, token.failure().message);
    return;
  }
  auto o = sequence_output{};
  o.request = spec.request;
  o.seq = spec.seq;
  o.epoch = spec.epoch;
  o.index = index;
  append_token(o, spec, *token, index);
  auto over = o.reason != finish_reason::none;
  out.outputs.emplace_back(j.what.stream, std::move(o));
  if (over) {
    drop(jobs_.find(spec.seq), errc::cancelled, "ended with its first token");
    return;
  }
  j.computed = true;
  auto emitted = spec.emitted;
  emitted.push_back(token->id);
  auto box = kv_outbox{};
  j.sender->finish(j.table.length(), std::move(emitted), now, box);
  send(j, std::move(box));
}

node_status prefill_state::status() const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::prefill;
  s.sequences = static_cast<uint32_t>(jobs_.size());
  s.waiting = static_cast<uint32_t>(queue_.size());
  s.blocks_in_use = pool_->in_use();
  s.blocks_total = pool_->capacity();
  s.steps = steps_;
  s.largest_batch = steps_ > 0 ? 1 : 0;
  return s;
}

// -- behaviour ----------------------------------------------------------------
=======
} // namespace
>>>>>>> actors

prefill_actor::behavior_type
prefill_node(prefill_actor::stateful_pointer<prefill_state> self,
             node_options opts) {
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
      [p](const step_tick& t) { p->step(t); },
      [p](const deadline_tick& t) { p->tick(t); },
      [&state](const status_query&) { return state.status(); },
  };
}

} // namespace troupe
