#include <algorithm>

#include "actors/decode_node.hpp"

namespace troupe {

// -- beginning ----------------------------------------------------------------

kv_offer decode_state::offer_for(const decoding& s) const {
  auto offer = kv_offer{};
  offer.seq = s.spec.seq;
  offer.epoch = next_move(s.spec.epoch);
  offer.model = opts_.weights->digest;
  offer.layout = pool_->layout();
  offer.blocks = kv_layout::blocks_for(s.table.length());
  offer.max_blocks = kv_layout::blocks_for(s.spec.max_length());
  return offer;
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
  stuck_ = false;
  auto* s = batch_->find_request(request);
  if (s == nullptr)
    return answer(request, fail(errc::unknown_sequence,
                                "request " + std::to_string(request)
                                    + " does not generate on this node"));
  if (!to || outgoing_.contains(s->spec.seq))
    return answer(request, fail(errc::invalid_argument,
                                "the sequence is on its way already"));
  auto offer = offer_for(*s);
  auto& o = outgoing_
                .emplace(s->spec.seq, outgoing{request,
                                               to,
                                               kv_sender{offer, opts_.timing},
                                               false,
                                               0,
                                               {},
                                               now,
                                               {}})
                .first->second;
  auto box = kv_outbox{};
  o.sender.start(now, box);
  send(o, *s, std::move(box));
}

// The sequence stops at once: what it holds is wanted.
void decode_state::swap_out(decoding s, time_point now) {
  ++swaps_;
  auto seq = s.spec.seq;
  auto& o = outgoing_
                .emplace(seq, outgoing{s.spec.request, opts_.store,
                                       kv_sender{offer_for(s), opts_.timing},
                                       true, 0, std::move(s), now, now})
                .first->second;
  auto box = kv_outbox{};
  o.sender.start(now, box);
  auto& held = *o.stopped;
  auto tokens = held.table.length();
  o.sender.push(held.table, 0, kv_layout::blocks_for(tokens), 0,
                pool_->layout().layers, now, box);
  o.sender.finish(tokens, held.generated, now, box);
  send(o, held, std::move(box));
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
  leave_line(seq);
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

void decode_state::preempt(seq_id seq, preempt_way way, time_point now) {
  stuck_ = false;
  auto p = std::find(prefilling_.begin(), prefilling_.end(), seq);
  if (p != prefilling_.end()) {
    prefilling_.erase(p);
    ++recomputes_;
    prompts_.at(seq).table.clear();
    join_line(seq);
    return;
  }
  if (outgoing_.contains(seq))
    return;
  auto s = batch_->take(seq);
  if (!s)
    return;
  if (way == preempt_way::swap && opts_.store)
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

decode_state::outgoing* decode_state::find_outgoing(seq_id seq, epoch_t epoch) {
  auto i = outgoing_.find(seq);
  return i != outgoing_.end() && i->second.sender.offer().epoch == epoch
             ? &i->second
             : nullptr;
}

// Copies full blocks of sequences that move ahead, so much a step; stops a
// sequence once all of them are there.
void decode_state::advance_moves(time_point now) {
  auto block_bytes = std::max<size_t>(1, pool_->layout().block_bytes());
  auto budget = static_cast<uint32_t>(
      std::max<size_t>(1, copy_ahead_bytes / block_bytes));
  auto there = std::vector<seq_id>{};
  for (auto& [seq, o] : outgoing_) {
    if (o.stopped || o.sender.now_in() != kv_sender::state::sending)
      continue;
    auto* s = batch_->find(seq);
    auto full = s->table.length() / kv_block_tokens;
    auto n = std::min(full - o.copied, budget);
    if (n > 0) {
      auto box = kv_outbox{};
      o.sender.push(s->table, o.copied, n, 0, pool_->layout().layers, now, box);
      o.copied += n;
      budget -= n;
      send(o, *s, std::move(box));
    }
    if (o.copied == full && o.sender.idle())
      there.push_back(seq);
  }
  for (auto seq : there)
    stop_and_copy(outgoing_.find(seq), now);
}

void decode_state::stop_and_copy(outgoing_map::iterator i, time_point now) {
  auto& o = i->second;
  o.stopped = batch_->take(i->first);
  o.stopped_at = now;
  auto& s = *o.stopped;
  auto tokens = s.table.length();
  auto box = kv_outbox{};
  o.sender.push(s.table, o.copied, kv_layout::blocks_for(tokens) - o.copied, 0,
                pool_->layout().layers, now, box);
  o.sender.finish(tokens, s.generated, now, box);
  send(o, s, std::move(box));
}

void decode_state::on(const kv_grant& m, const kv_destination_actor& from,
                      time_point now) {
  stuck_ = false;
  if (auto* o = find_outgoing(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    o->sender.on(m, now, box);
    send(*o, o->stopped ? *o->stopped : *batch_->find(m.seq), std::move(box));
  } else if (from) {
    // Blocks are kept for nobody there.
    out_.to_destination.emplace_back(
        from, kv_abort{m.seq, m.epoch, errc::unknown_sequence,
                       "no such handoff on this decode node"});
  }
}

void decode_state::on(const kv_credit& m, time_point now) {
  if (auto* o = find_outgoing(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    o->sender.on(m, now, box);
    send(*o, o->stopped ? *o->stopped : *batch_->find(m.seq), std::move(box));
  }
}

void decode_state::on(const kv_accepted& m, time_point now) {
  stuck_ = false;
  if (auto* o = find_outgoing(m.seq, m.epoch)) {
    o->sender.on(m);
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
  o.sender.tick(now, box);
  send(o, o.stopped ? *o.stopped : *batch_->find(seq), std::move(box));
  settle(seq, now);
}

// -- ends ---------------------------------------------------------------------

// Looks whether a sequence has gone, or cannot go.
void decode_state::settle(seq_id seq, time_point now) {
  auto i = outgoing_.find(seq);
  if (i == outgoing_.end())
    return;
  auto& o = i->second;
  if (o.sender.done()) {
    handed_over(i, now);
  } else if (o.sender.may_be_taken() && !o.swap) {
    // Only the session can tell where it is.
    auto why = o.sender.failure();
    auto out = failed_output(o.stopped->spec, why);
    out.index = static_cast<uint32_t>(o.stopped->generated.size());
    out_.outputs.emplace_back(o.stopped->stream, std::move(out));
    drop_outgoing(i, why);
  } else if (o.sender.failed()) {
    keep_here(i, o.sender.failure());
  }
}

void decode_state::handed_over(outgoing_map::iterator i, time_point now) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  auto& s = *o.stopped;
  auto epoch = o.sender.offer().epoch;
  over_.add(seq, epoch, false);
  if (o.swap) {
    measured_.swapped_bytes +=
        s.table.length() / kv_block_tokens * pool_->layout().block_bytes();
    measured_.swap_ns += (now - o.began).count();
    s.spec.epoch = epoch;
    auto p = parked{};
    p.spec = std::move(s.spec);
    p.generated = std::move(s.generated);
    p.stream = std::move(s.stream);
    p.arrival_ns = s.arrival_ns;
    if (draining_) {
      out_.drops.push_back({seq, epoch});
      return give_back(p.spec, p.stream, p.generated);
    }
    parked_.emplace(seq, std::move(p));
    join_line(seq);
    return;
  }
  ++drained_.moved;
  auto m = migrated{};
  m.request = s.spec.request;
  m.epoch = epoch;
  m.pause_ns = (now - o.stopped_at).count();
  m.tokens = s.table.length();
  answer(s.spec.request, m);
}

// The destination does not have it: it goes on here, from its tokens if its
// blocks were wanted.
void decode_state::keep_here(outgoing_map::iterator i, const error& why) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  if (o.swap && opts_.store)
    out_.drops.push_back({seq, o.sender.offer().epoch});
  if (o.stopped) {
    auto s = std::move(*o.stopped);
    // The epoch of the failed move is spent.
    s.spec.epoch = o.sender.offer().epoch;
    if (o.swap)
      recompute(std::move(s));
    else
      batch_->rejoin(std::move(s));
  } else if (auto* s = batch_->find(seq)) {
    s->spec.epoch = o.sender.offer().epoch;
  }
  if (!o.swap)
    answer(o.request, why);
  if (draining_)
    if (auto s = batch_->take(seq))
      give_back(s->spec, s->stream, s->generated);
}

// It ends here, wherever it was going.
void decode_state::drop_outgoing(outgoing_map::iterator i, const error& why) {
  auto seq = i->first;
  auto& o = i->second;
  auto box = kv_outbox{};
  o.sender.abort(why.code, why.message, box);
  for (auto& m : box)
    out_.to_destination.emplace_back(o.to, std::move(m));
  if (o.swap)
    out_.drops.push_back({seq, o.sender.offer().epoch});
  else
    answer(o.request, why);
  over_.add(seq, o.sender.offer().epoch, false);
  outgoing_.erase(i);
}

void decode_state::answer(request_id request, result<migrated> how) {
  out_.migrations.emplace_back(request, std::move(how));
}

// -- drain --------------------------------------------------------------------

// Its session places it again, from its tokens.
void decode_state::give_back(const sequence_spec& spec,
                             const stream_actor& stream,
                             const std::vector<token_id>& generated) {
  auto o = failed_output(spec, {errc::no_node, "the node is being drained"});
  o.index = static_cast<uint32_t>(generated.size());
  out_.outputs.emplace_back(stream, std::move(o));
  ++drained_.replaced;
}

void decode_state::drain(std::vector<kv_destination_actor> peers,
                         time_point now) {
  stuck_ = false;
  draining_ = true;
  drained_.node = opts_.id;
  peers_ = std::move(peers);
  for (auto& [seq, p] : prompts_)
    give_back(p.spec, p.stream, p.spec.emitted);
  prompts_.clear();
  prefilling_.clear();
  auto refused = error{errc::no_node, "the node is being drained"};
  for (auto& [seq, o] : offers_)
    refuse(o.what, refused);
  offers_.clear();
  for (auto& [seq, in] : incoming_)
    refuse(in.what, refused);
  incoming_.clear();
  for (auto& [seq, p] : parked_) {
    out_.drops.push_back({seq, p.spec.epoch});
    give_back(p.spec, p.stream, p.generated);
  }
  parked_.clear();
  line_.clear();
  planned_ = 0;
  auto requests = std::vector<request_id>{};
  batch_->for_each([&](auto& s) { requests.push_back(s.spec.request); });
  for (auto request : requests) {
    auto* s = batch_->find_request(request);
    if (outgoing_.contains(s->spec.seq))
      continue;
    if (!peers_.empty()) {
      migrate(request, peers_[next_peer_++ % peers_.size()], now);
    } else {
      give_back(s->spec, s->stream, s->generated);
      batch_->take(s->spec.seq);
    }
  }
}

} // namespace troupe
