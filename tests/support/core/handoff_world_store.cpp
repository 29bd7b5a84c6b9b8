#include "tests/support/core/handoff_world_store.hpp"

namespace troupe::testing::world {

kv_store::kv_store(context& c, options opts, std::shared_ptr<block_arena> arena)
    : c_(&c), self_(opts.self),
      store_(std::move(arena), opts.blocks, std::move(opts.file)), over_(c) {}

void kv_store::receive(const envelope& e) {
  auto from = e.from;
  if (auto* m = std::get_if<offer>(&e.what)) {
    c_->watch(self_, from);
    on(*m, from);
  } else if (auto* chunk = std::get_if<kv_chunk>(&e.what)) {
    on_chunk(*chunk, from);
  } else if (auto* commit = std::get_if<kv_commit>(&e.what)) {
    on_commit(*commit, from);
  } else if (auto* grant = std::get_if<kv_grant>(&e.what)) {
    at_sender(*grant, from);
  } else if (auto* credit = std::get_if<kv_credit>(&e.what)) {
    at_sender(*credit, from);
  } else if (auto* accepted = std::get_if<kv_accepted>(&e.what)) {
    at_sender(*accepted, from);
  } else if (auto* abort = std::get_if<kv_abort>(&e.what)) {
    on_abort(*abort, from);
  } else if (auto* wanted = std::get_if<fetch>(&e.what)) {
    on_fetch(*wanted);
  } else if (auto* gone = std::get_if<cancel>(&e.what)) {
    forget(gone->seq, gone->epoch);
    over_.add(gone->seq, gone->epoch, false);
  } else if (std::holds_alternative<down>(e.what)) {
    peer_down(from);
  }
}

// -- in -----------------------------------------------------------------------

bool kv_store::known(const offer& m, actor from) {
  auto refuse = [&] {
    c_->post(self_, from,
             kv_abort{m.of.seq, m.of.epoch, errc::stale_epoch, ""});
  };
  auto seq = m.of.seq;
  auto epoch = m.of.epoch;
  if (over_.over(seq, epoch)) {
    refuse();
    return true;
  }
  if (auto i = entries_.find(seq);
      i != entries_.end() && i->second.of.epoch >= epoch) {
    if (i->second.of.epoch > epoch || i->second.owner != from)
      refuse();
    return true;
  }
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() >= epoch) {
    if (i->second.receiver.epoch() > epoch || i->second.source != from) {
      refuse();
    } else {
      auto box = kv_outbox{};
      i->second.receiver.on(m.what, c_->now, box);
      after(i, std::move(box));
    }
    return true;
  }
  return false;
}

void kv_store::on(const offer& m, actor from) {
  if (known(m, from))
    return;
  forget(m.of.seq, m.of.epoch);
  auto refuse = [&](errc code) {
    c_->post(self_, from, kv_abort{m.of.seq, m.of.epoch, code, ""});
  };
  if (auto room = store_.make_room(m.what.blocks); !room)
    return refuse(room.failure().code);
  auto box = kv_outbox{};
  auto opts = kv_receiver::options{"m", 3, c_->timing, m.what.blocks};
  auto r =
      kv_receiver::open(m.what, store_.pool(), std::move(opts), c_->now, box);
  if (!r)
    return refuse(r.failure().code);
  auto i =
      incoming_
          .emplace(m.of.seq, incoming{m, from, std::move(*r), m.what.blocks})
          .first;
  after(i, std::move(box));
}

kv_store::incoming_map::iterator kv_store::find(seq_id seq, epoch_t epoch,
                                                actor from) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
                 && i->second.source == from
             ? i
             : incoming_.end();
}

void kv_store::after(incoming_map::iterator i, kv_outbox box) {
  auto seq = i->first;
  auto& in = i->second;
  c_->post(self_, in.source, std::move(box));
  if (in.receiver.accepted()) {
    auto& e = entries_[seq];
    e.of = std::move(in.what.of);
    e.of.emitted = in.receiver.committed().emitted;
    e.tokens = in.receiver.committed().tokens;
    e.owner = in.source;
    e.last_sent = e.of.epoch;
    store_.put(seq, in.receiver.take_table());
    incoming_.erase(i);
  } else if (in.receiver.failed()) {
    over_.add(seq, in.receiver.epoch(), false);
    incoming_.erase(i);
  }
}

void kv_store::answer_late(seq_id seq, epoch_t epoch, bool commit, actor from) {
  auto i = entries_.find(seq);
  if ((i != entries_.end() && i->second.of.epoch == epoch)
      || over_.taken(seq, epoch)) {
    if (commit)
      c_->post(self_, from, kv_accepted{seq, epoch});
  } else {
    c_->post(self_, from, kv_abort{seq, epoch, errc::unknown_sequence, ""});
  }
}

void kv_store::on_chunk(const kv_chunk& m, actor from) {
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, false, from);
  auto& in = i->second;
  auto end = uint64_t{m.first_block} + m.blocks;
  if (end > in.reserved && end <= in.what.what.max_blocks
      && store_.make_room(static_cast<uint32_t>(end) - in.reserved))
    in.reserved = static_cast<uint32_t>(end);
  auto box = kv_outbox{};
  in.receiver.on(m, c_->now, box);
  after(i, std::move(box));
}

void kv_store::on_commit(const kv_commit& m, actor from) {
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, true, from);
  auto box = kv_outbox{};
  if (consistent(m, i->second.what.of))
    i->second.receiver.on(m, c_->now, box);
  else
    i->second.receiver.abort(errc::layout_mismatch, "", box);
  after(i, std::move(box));
}

// -- out ----------------------------------------------------------------------

void kv_store::on_fetch(const fetch& m) {
  auto answer = [&](errc code) {
    c_->post(self_, m.to, kv_abort{m.seq, m.epoch, code, ""});
  };
  c_->watch(self_, m.to);
  auto i = entries_.find(m.seq);
  if (i == entries_.end() || i->second.of.epoch != m.epoch)
    return answer(errc::unknown_sequence);
  auto& e = i->second;
  if (e.on_its_way) {
    if (e.on_its_way->to != m.to)
      answer(errc::unknown_sequence);
    return;
  }
  auto table = store_.pin(m.seq);
  if (!table) {
    answer(table.failure().code);
    if (!store_.contains(m.seq))
      drop(i);
    return;
  }
  auto& t = **table;
  e.last_sent = next_move(e.last_sent);
  auto what = kv_offer{};
  what.seq = m.seq;
  what.epoch = e.last_sent;
  what.model = "m";
  what.layout = layout;
  what.blocks = t.blocks();
  what.max_blocks = kv_layout::blocks_for(e.of.max_length());
  e.on_its_way.emplace(outgoing{m.to, kv_sender{what, c_->timing}});
  auto& sender = e.on_its_way->sender;
  auto box = kv_outbox{};
  sender.start(c_->now, box);
  for (uint32_t b = 0; b < t.blocks(); ++b)
    sender.push(t, b, 1, 0, layout.layers, c_->now, box);
  sender.finish(e.tokens, e.of.emitted, c_->now, box);
  send(e, std::move(box));
}

void kv_store::send(entry& e, kv_outbox box) {
  c_->post(self_, e.on_its_way->to, std::move(box), e.of);
}

kv_store::entry_map::iterator kv_store::find_sent(seq_id seq, epoch_t epoch,
                                                  actor from) {
  auto i = entries_.find(seq);
  return i != entries_.end() && i->second.on_its_way
                 && i->second.last_sent == epoch
                 && i->second.on_its_way->to == from
             ? i
             : entries_.end();
}

template <class M>
void kv_store::at_sender(const M& m, actor from) {
  auto i = find_sent(m.seq, m.epoch, from);
  if (i == entries_.end()) {
    if constexpr (std::is_same_v<M, kv_grant>)
      c_->post(self_, from,
               kv_abort{m.seq, m.epoch, errc::unknown_sequence, ""});
    return;
  }
  auto box = kv_outbox{};
  if constexpr (std::is_same_v<M, kv_accepted>)
    i->second.on_its_way->sender.on(m);
  else
    i->second.on_its_way->sender.on(m, c_->now, box);
  send(i->second, std::move(box));
  if (!i->second.on_its_way->sender.done())
    return;
  if (c_->has(model_bug::store_keeps))
    stay(i);
  else
    drop(i);
}

// -- either -------------------------------------------------------------------

void kv_store::on_abort(const kv_abort& m, actor from) {
  if (auto i = find(m.seq, m.epoch, from); i != incoming_.end()) {
    i->second.receiver.on(m);
    after(i, {});
  }
  if (auto i = find_sent(m.seq, m.epoch, from); i != entries_.end()) {
    i->second.on_its_way->sender.on(m);
    if (i->second.on_its_way->sender.may_be_taken())
      drop(i);
    else
      stay(i);
  }
}

void kv_store::forget(seq_id seq, epoch_t epoch) {
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    auto box = kv_outbox{};
    i->second.receiver.abort(errc::cancelled, "", box);
    after(i, std::move(box));
  }
  if (auto i = entries_.find(seq);
      i != entries_.end() && i->second.of.epoch <= epoch) {
    if (i->second.on_its_way) {
      auto box = kv_outbox{};
      i->second.on_its_way->sender.abort(errc::cancelled, "", box);
      send(i->second, std::move(box));
    }
    drop(i);
  }
}

void kv_store::stay(entry_map::iterator i) {
  i->second.on_its_way.reset();
  store_.unpin(i->first);
  if (i->second.owner_gone)
    drop(i);
}

void kv_store::drop(entry_map::iterator i) {
  store_.erase(i->first);
  over_.add(i->first, i->second.of.epoch, true);
  entries_.erase(i);
}

void kv_store::tick() {
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, in] : incoming_)
    seqs.push_back(seq);
  for (auto seq : seqs) {
    auto i = incoming_.find(seq);
    auto box = kv_outbox{};
    i->second.receiver.tick(c_->now, box);
    after(i, std::move(box));
  }
  for (auto i = entries_.begin(); i != entries_.end();) {
    auto here = i++;
    if (!here->second.on_its_way)
      continue;
    auto& sender = here->second.on_its_way->sender;
    auto box = kv_outbox{};
    sender.tick(c_->now, box);
    send(here->second, std::move(box));
    if (sender.may_be_taken())
      drop(here);
    else if (sender.failed())
      stay(here);
  }
}

void kv_store::peer_down(actor peer) {
  for (auto i = incoming_.begin(); i != incoming_.end();) {
    auto here = i++;
    if (here->second.source != peer)
      continue;
    auto box = kv_outbox{};
    here->second.receiver.abort(errc::abandoned, "", box);
    after(here, std::move(box));
  }
  for (auto i = entries_.begin(); i != entries_.end();) {
    auto here = i++;
    auto& e = here->second;
    e.owner_gone = e.owner_gone || e.owner == peer;
    if (e.on_its_way && e.on_its_way->to == peer)
      stay(here);
    else if (e.owner_gone && !e.on_its_way)
      drop(here);
  }
}

} // namespace troupe::testing::world
