// A node of the model as a source.

#include <algorithm>

#include "tests/support/core/handoff_world_node.hpp"

namespace troupe::testing::world {

// -- as a source: beginning ---------------------------------------------------

kv_offer node::offer_for(const spec& s, uint32_t length, epoch_t epoch) const {
  auto o = kv_offer{};
  o.seq = s.seq;
  o.epoch = epoch;
  o.model = "m";
  o.layout = layout;
  o.blocks = kv_layout::blocks_for(length);
  o.max_blocks = kv_layout::blocks_for(s.max_length());
  return o;
}

void node::send(outgoing& o, const running& s, kv_outbox box) {
  auto with = s.of;
  with.emitted = s.generated;
  c_->post(opts_.self, o.to, std::move(box), with);
}

// In chunks of a block or less, so that there are several.
void node::push(kv_sender& sender, const page_table& table, uint32_t first,
                uint32_t blocks, kv_outbox& box) {
  for (auto i = first; i < first + blocks; ++i)
    if (c_->one_in(3))
      for (auto layer = layout.layers; layer-- > 0;)
        sender.push(table, i, 1, layer, 1, c_->now, box);
    else
      sender.push(table, i, 1, 0, layout.layers, c_->now, box);
}

node::outgoing& node::begin_move(const running& s, actor to) {
  auto what = offer_for(s.of, s.table.length(), next_move(s.of.epoch));
  auto o = outgoing{to, kv_move{what, c_->timing}, false, std::nullopt};
  auto& there = outgoing_.emplace(s.of.seq, std::move(o)).first->second;
  auto box = kv_outbox{};
  there.move.start(c_->now, box);
  send(there, s, std::move(box));
  return there;
}

void node::finish_move(outgoing& o) {
  auto box = kv_outbox{};
  o.move.finish(o.stopped->table, o.stopped->generated, c_->now, box);
  send(o, *o.stopped, std::move(box));
}

void node::migrate(seq_id seq, actor to) {
  auto* s = find(seq);
  if (s == nullptr || outgoing_.contains(seq))
    return;
  c_->watch(opts_.self, to);
  begin_move(*s, to);
}

void node::preempt(seq_id seq, bool swap) {
  if (auto i = outgoing_.find(seq); i != outgoing_.end()) {
    if (i->second.stopped)
      return;
    auto box = kv_outbox{};
    i->second.move.sender().abort(errc::no_free_blocks, "", box);
    c_->post(opts_.self, i->second.to, std::move(box));
    keep_here(i);
  }
  if (auto s = take(seq); s && swap && opts_.store != 0)
    swap_out(std::move(*s));
  else if (s)
    recompute(std::move(*s));
}

void node::swap_out(running s) {
  auto& o = begin_move(s, opts_.store);
  o.swap = true;
  o.stopped = std::move(s);
  finish_move(o);
}

void node::recompute(running s) {
  if (draining_)
    return fail(s.of, s.generated.size());
  ++c_->out.recomputed;
  auto of = std::move(s.of);
  of.emitted = std::move(s.generated);
  enqueue(std::move(of));
}

void node::unpark(seq_id seq) {
  auto p = std::move(parked_.extract(seq).mapped());
  incoming_.erase(seq);
  leave_line(seq);
  if (opts_.store != 0)
    c_->post(opts_.self, opts_.store, cancel{seq, p.of.epoch});
  auto s = running{};
  s.of = std::move(p.of);
  // Past whatever the store may still send.
  s.of.epoch = next_move(s.of.epoch) + p.fetches;
  s.generated = std::move(p.generated);
  recompute(std::move(s));
}

void node::drain(const std::vector<actor>& peers) {
  draining_ = true;
  for (auto& [seq, s] : prompts_)
    fail(s, s.emitted.size());
  prompts_.clear();
  for (auto& [seq, o] : offers_)
    refuse(o.what, o.source, errc::no_node);
  offers_.clear();
  for (auto& [seq, in] : incoming_)
    refuse(in.what, in.source, errc::no_node);
  incoming_.clear();
  for (auto& [seq, p] : parked_) {
    c_->post(opts_.self, opts_.store, cancel{seq, p.of.epoch});
    fail(p.of, p.generated.size());
  }
  parked_.clear();
  line_.clear();
  for (auto seq : generating()) {
    if (outgoing_.contains(seq))
      continue;
    if (!peers.empty())
      migrate(seq, peers[c_->draw(peers.size())]);
    else if (auto s = take(seq))
      fail(s->of, s->generated.size());
  }
}

// -- as a source: going on ----------------------------------------------------

node::outgoing* node::find_outgoing(seq_id seq, epoch_t epoch) {
  auto i = outgoing_.find(seq);
  return i != outgoing_.end() && i->second.move.epoch() == epoch ? &i->second
                                                                 : nullptr;
}

void node::advance_moves() {
  auto there = std::vector<seq_id>{};
  for (auto& [seq, o] : outgoing_) {
    if (o.stopped)
      continue;
    auto* s = find(seq);
    auto tokens = s->table.length();
    // As if the block that is being filled were full.
    if (c_->has(model_bug::copies_open_block))
      s->table.set_length(kv_layout::blocks_for(tokens) * kv_block_tokens);
    auto box = kv_outbox{};
    o.move.copy_ahead(s->table, 1, c_->now, box);
    if (o.move.caught_up(s->table))
      there.push_back(seq);
    s->table.set_length(tokens);
    send(o, *s, std::move(box));
  }
  for (auto seq : there) {
    auto& o = outgoing_.at(seq);
    o.stopped = take(seq);
    finish_move(o);
  }
}

template <class M>
void node::at_sender(M m, actor from) {
  constexpr auto is_grant = std::is_same_v<M, kv_grant>;
  constexpr auto is_abort = std::is_same_v<M, kv_abort>;
  auto seq = m.seq;
  if (auto i = outgoing_.find(seq);
      !is_abort && c_->has(model_bug::any_epoch) && i != outgoing_.end())
    m.epoch = i->second.move.epoch();
  auto tell = [&](kv_sender& sender) {
    auto box = kv_outbox{};
    if constexpr (is_grant || std::is_same_v<M, kv_credit>)
      sender.on(m, c_->now, box);
    else
      sender.on(m);
    return box;
  };
  if constexpr (is_abort) {
    if (auto i = find_incoming(seq, m.epoch, from); i != incoming_.end()) {
      i->second.receiver.on(m);
      return after(i, {});
    }
    if (auto i = offers_.find(seq); i != offers_.end()
                                    && i->second.what.of.epoch == m.epoch
                                    && i->second.source == from) {
      over_.add(seq, m.epoch, false);
      offers_.erase(i);
      return leave_line(seq);
    }
  }
  if (auto* o = find_outgoing(seq, m.epoch); o != nullptr && o->to == from) {
    auto box = tell(o->move.sender());
    send(*o, o->stopped ? *o->stopped : *find(seq), std::move(box));
    if (c_->has(model_bug::frees_at_commit)
        && o->move.sender().now_in() == kv_sender::state::committing)
      o->move.sender().on(kv_accepted{seq, m.epoch});
    return settle(seq);
  }
  if (auto i = prefills_.find(seq); i != prefills_.end()
                                    && i->second.of.epoch == m.epoch
                                    && i->second.sender) {
    auto box = tell(*i->second.sender);
    c_->post(opts_.self, i->second.to, std::move(box), i->second.of);
    return settle_prefill(seq);
  }
  if constexpr (is_grant)
    c_->post(opts_.self, from,
             kv_abort{seq, m.epoch, errc::unknown_sequence, ""});
  if constexpr (is_abort)
    if (auto i = parked_.find(seq); i != parked_.end() && opts_.store == from
                                    && i->second.of.epoch == m.epoch)
      unpark(seq);
}

template void node::at_sender(kv_grant, actor);
template void node::at_sender(kv_credit, actor);
template void node::at_sender(kv_accepted, actor);
template void node::at_sender(kv_abort, actor);

void node::tick() {
  auto open = std::vector<seq_id>{};
  for (auto& [seq, in] : incoming_)
    open.push_back(seq);
  for (auto seq : open)
    if (auto i = incoming_.find(seq); i != incoming_.end()) {
      auto box = kv_outbox{};
      i->second.receiver.tick(c_->now, box);
      after(i, std::move(box));
    }
  open.clear();
  for (auto& [seq, o] : outgoing_)
    open.push_back(seq);
  for (auto seq : open)
    tick_outgoing(seq);
  open.clear();
  for (auto& [seq, p] : prefills_)
    open.push_back(seq);
  for (auto seq : open) {
    auto& p = prefills_.at(seq);
    auto box = kv_outbox{};
    if (p.sender)
      p.sender->tick(c_->now, box);
    c_->post(opts_.self, p.to, std::move(box), p.of);
    settle_prefill(seq);
  }
  // An offer that got lost for a whole lease, and what said so.
  for (auto& [seq, p] : parked_)
    if (p.fetching && !incoming_.contains(seq)
        && c_->now - p.asked >= c_->timing.lease) {
      p.asked = c_->now;
      ++p.fetches;
      c_->post(opts_.self, opts_.store, fetch{seq, p.of.epoch, opts_.self});
    }
  admit();
}

void node::tick_outgoing(seq_id seq) {
  auto i = outgoing_.find(seq);
  if (i == outgoing_.end())
    return;
  auto& o = i->second;
  auto box = kv_outbox{};
  o.move.sender().tick(c_->now, box);
  send(o, o.stopped ? *o.stopped : *find(seq), std::move(box));
  settle(seq);
}

// -- as a source: ends --------------------------------------------------------

void node::settle(seq_id seq) {
  auto i = outgoing_.find(seq);
  if (i == outgoing_.end())
    return;
  auto& o = i->second;
  if (o.move.sender().done()) {
    handed_over(i);
  } else if (o.move.sender().failed() && o.move.sender().may_be_taken()
             && !o.swap && !c_->has(model_bug::keeps_after_silence)) {
    fail(o.stopped->of, o.stopped->generated.size());
    drop_outgoing(i, errc::timeout);
  } else if (o.move.sender().failed()) {
    keep_here(i);
  }
}

void node::handed_over(outgoing_map::iterator i) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  auto epoch = o.move.epoch();
  over_.add(seq, epoch, false);
  if (!o.swap) {
    ++c_->out.migrated;
    return;
  }
  ++c_->out.stored;
  auto& s = *o.stopped;
  if (draining_) {
    c_->post(opts_.self, opts_.store, cancel{seq, epoch});
    return fail(s.of, s.generated.size());
  }
  auto p = parked{};
  p.of = std::move(s.of);
  p.of.epoch = epoch;
  p.generated = std::move(s.generated);
  parked_.emplace(seq, std::move(p));
  line_.push_back(seq);
}

void node::keep_here(outgoing_map::iterator i) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  auto epoch = o.move.epoch();
  if (o.swap && opts_.store != 0)
    c_->post(opts_.self, opts_.store, cancel{seq, epoch});
  if (o.stopped) {
    auto s = std::move(*o.stopped);
    s.of.epoch = epoch;
    if (o.swap)
      recompute(std::move(s));
    else
      batch_.push_front(std::move(s));
  } else if (auto* s = find(seq)) {
    s->of.epoch = epoch;
  }
  if (draining_)
    if (auto s = take(seq))
      fail(s->of, s->generated.size());
}

void node::drop_outgoing(outgoing_map::iterator i, errc code) {
  auto seq = i->first;
  auto& o = i->second;
  auto epoch = o.move.epoch();
  auto box = kv_outbox{};
  o.move.sender().abort(code, "", box);
  c_->post(opts_.self, o.to, std::move(box));
  if (o.swap && opts_.store != 0)
    c_->post(opts_.self, opts_.store, cancel{seq, epoch});
  over_.add(seq, epoch, false);
  outgoing_.erase(i);
}

} // namespace troupe::testing::world
