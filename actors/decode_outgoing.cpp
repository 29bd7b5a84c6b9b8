#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

// -- beginning ----------------------------------------------------------------

decode_state::outgoing& decode_state::begin_move(const decoding& s,
                                                 const kv_destination_actor& to,
                                                 time_point now) {
  auto offer = offer_of(s.spec, next_move(s.spec.epoch), s.table.length(),
                        pool_->layout(), opts_.weights->digest);
  auto move = kv_move{std::move(offer), opts_.timing};
  auto o = outgoing{s.spec.request, to, std::move(move), false, {}, now, {}};
  auto& there = outgoing_.emplace(s.spec.seq, std::move(o)).first->second;
  auto box = kv_outbox{};
  there.move.start(now, box);
  send(there, s, std::move(box));
  return there;
}

void decode_state::send(outgoing& o, const decoding& s, kv_outbox box) {
  for (auto& m : box) {
    if (auto* offer = std::get_if<kv_offer>(&m)) {
      auto& spec = out_.specs[s.spec.seq] = s.spec;
      spec.epoch = offer->epoch;
      spec.emitted = s.generated;
      out_.streams[s.spec.seq] = s.stream;
    }
    out_.to_destination.emplace_back(o.to, std::move(m));
  }
}

void decode_state::migrate(request_id request, const kv_destination_actor& to,
                           time_point now) {
  stir();
  auto* s = batch_->find_request(request);
  if (s == nullptr)
    return answer(request, fail(errc::unknown_sequence,
                                "request " + std::to_string(request)
                                    + " does not generate on this node"));
  if (!to || outgoing_.contains(s->spec.seq))
    return answer(request, fail(errc::invalid_argument,
                                "the sequence is on its way already"));
  begin_move(*s, to, now);
}

// The sequence stops at once: what it holds is wanted.
void decode_state::swap_out(decoding s, time_point now) {
  ++swaps_;
  auto& o = begin_move(s, opts_.store, now);
  o.swap = true;
  o.stopped = std::move(s);
  finish_move(o, now);
}

// The other way: only its tokens stay.
void decode_state::recompute(decoding s) {
  if (draining_)
    return give_back(s.spec, s.stream, s.generated);
  ++recomputes_;
  auto p = prompt{};
  p.spec = std::move(s.spec);
  p.spec.emitted = std::move(s.generated);
  p.stream = std::move(s.stream);
  p.arrival_ns = s.arrival_ns;
  auto& queued = enqueue(std::move(p));
  // Nobody may want the blocks before it is back.
  index_->insert(queued.spec.cache_salt, queued.tokens, s.table);
}

// The store has it no more.
void decode_state::unpark(seq_id seq) {
  auto node = parked_.extract(seq);
  auto& p = node.mapped();
  incoming_.erase(seq);
  line_.erase(seq);
  out_.drops.push_back({seq, p.spec.epoch});
  auto s = decoding{};
  s.spec = std::move(p.spec);
  // Past whatever the store may still send.
  s.spec.epoch = next_move(s.spec.epoch) + p.fetches;
  s.generated = std::move(p.generated);
  s.stream = std::move(p.stream);
  s.arrival_ns = p.arrival_ns;
  recompute(std::move(s));
}

void decode_state::tell_preempted(const sequence_spec& spec,
                                  const stream_actor& stream, put_away how) {
  auto o = sequence_output{};
  o.request = spec.request;
  o.seq = spec.seq;
  o.epoch = spec.epoch;
  o.index = static_cast<uint32_t>(spec.emitted.size());
  o.preempted = how;
  out_.outputs.emplace_back(stream, std::move(o));
}

void decode_state::preempt(seq_id seq, preempt_way way, time_point now) {
  stir();
  auto p = std::find(prefilling_.begin(), prefilling_.end(), seq);
  if (p != prefilling_.end()) {
    prefilling_.erase(p);
    ++recomputes_;
    auto& q = prompts_.at(seq);
    tell_preempted(q.spec, q.stream, put_away::dropped);
    q.table.clear();
    q.pooled = {};
    join_line(seq);
    return;
  }
  if (auto i = outgoing_.find(seq); i != outgoing_.end()) {
    if (i->second.stopped)
      return; // it is leaving
    call_off(i, {errc::no_free_blocks, "its blocks are wanted"});
  }
  auto s = batch_->take(seq);
  if (!s)
    return;
  auto swaps = way == preempt_way::swap && opts_.store;
  tell_preempted(s->spec, s->stream,
                 swaps ? put_away::swapped : put_away::dropped);
  if (swaps)
    swap_out(std::move(*s), now);
  else
    recompute(std::move(*s));
}

void decode_state::on(const preempt_sequence& m, time_point now) {
  auto seq = seq_id{0};
  if (auto* s = batch_->find_request(m.request))
    seq = s->spec.seq;
  for (auto& [x, p] : prompts_)
    if (p.spec.request == m.request)
      seq = x;
  preempt(seq, m.way, now);
  admit(now);
}

// -- moving on ----------------------------------------------------------------

// Only the destination itself may speak for what it takes.
decode_state::outgoing*
decode_state::find_outgoing(seq_id seq, epoch_t epoch,
                            const caf::actor_addr& from) {
  auto i = outgoing_.find(seq);
  return i != outgoing_.end() && i->second.move.epoch() == epoch
                 && i->second.to == from
             ? &i->second
             : nullptr;
}

// Copies full blocks of sequences that move ahead, so much a step; stops a
// sequence once all of them are there.
bool decode_state::advance_moves(time_point now) {
  if (outgoing_.empty())
    return false;
  auto block_bytes = std::max<size_t>(1, pool_->layout().block_bytes());
  auto budget = static_cast<uint32_t>(
      std::max<size_t>(1, copy_ahead_bytes / block_bytes));
  auto there = std::vector<seq_id>{};
  for (auto& [seq, o] : outgoing_) {
    if (o.stopped)
      continue;
    auto* s = batch_->find(seq);
    auto box = kv_outbox{};
    budget -= o.move.copy_ahead(s->table, budget, now, box);
    send(o, *s, std::move(box));
    if (o.move.caught_up(s->table))
      there.push_back(seq);
  }
  for (auto seq : there) {
    auto& o = outgoing_.at(seq);
    o.stopped = batch_->take(seq);
    finish_move(o, now);
  }
  return true;
}

// The rest, and the commit.
void decode_state::finish_move(outgoing& o, time_point now) {
  o.stopped_at = now;
  auto box = kv_outbox{};
  o.move.finish(o.stopped->table, o.stopped->generated, now, box);
  send(o, *o.stopped, std::move(box));
}

void decode_state::on(const kv_grant& m, const kv_destination_actor& from,
                      time_point now) {
  stir();
  if (auto* o = find_outgoing(m.seq, m.epoch,
                              caf::actor_cast<caf::actor_addr>(from))) {
    auto box = kv_outbox{};
    o->move.sender().on(m, now, box);
    send(*o, o->stopped ? *o->stopped : *batch_->find(m.seq), std::move(box));
  } else if (from) {
    // Blocks are kept for nobody there.
    out_.to_destination.emplace_back(
        from, kv_abort{m.seq, m.epoch, errc::unknown_sequence,
                       "no such handoff on this decode node"});
  }
}

void decode_state::on(const kv_credit& m, const caf::actor_addr& from,
                      time_point now) {
  if (auto* o = find_outgoing(m.seq, m.epoch, from)) {
    auto box = kv_outbox{};
    o->move.sender().on(m, now, box);
    send(*o, o->stopped ? *o->stopped : *batch_->find(m.seq), std::move(box));
  }
}

void decode_state::on(const kv_accepted& m, const caf::actor_addr& from,
                      time_point now) {
  stir();
  if (auto* o = find_outgoing(m.seq, m.epoch, from)) {
    o->move.sender().on(m);
    settle(m.seq, now);
    admit(now);
  }
}

void decode_state::tick_outgoing(seq_id seq, time_point now) {
  auto i = outgoing_.find(seq);
  if (i == outgoing_.end())
    return;
  auto& o = i->second;
  auto box = kv_outbox{};
  o.move.sender().tick(now, box);
  send(o, o.stopped ? *o.stopped : *batch_->find(seq), std::move(box));
  settle(seq, now);
}

} // namespace troupe
