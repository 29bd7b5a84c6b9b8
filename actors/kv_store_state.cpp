#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/kv_store.hpp"

namespace troupe {

void kv_store_state::init(kv_store_options opts) {
  opts_ = std::move(opts);
  auto file = std::optional<swap_file>{};
  auto& layout = block_pool{opts_.arena, 0}.layout();
  if (opts_.file)
    file.emplace(opts_.file, layout.block_bytes(), opts_.file_blocks);
  store_.emplace(opts_.arena, opts_.blocks, std::move(file));
}

// -- offers -------------------------------------------------------------------

void kv_store_state::refuse(const handoff_offer& m, const error& e) {
  ++refused_;
  if (m.source)
    out_.to_source.emplace_back(
        m.source, kv_abort{m.offer.seq, m.offer.epoch, e.code, e.message});
}

// Answers an offer of a life that the store has seen already, or is past.
bool kv_store_state::known(const handoff_offer& m, time_point now) {
  auto seq = m.offer.seq;
  auto epoch = m.offer.epoch;
  auto stale = error{errc::stale_epoch, "the sequence has ended or moved on"};
  if (over_.over(seq, epoch)) {
    refuse(m, stale);
    return true;
  }
  if (auto i = entries_.find(seq);
      i != entries_.end() && i->second.spec.epoch >= epoch) {
    if (i->second.spec.epoch > epoch || i->second.owner != m.source)
      refuse(m, stale);
    return true;
  }
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() >= epoch) {
    if (i->second.receiver.epoch() > epoch
        || i->second.what.source != m.source) {
      refuse(m, stale);
    } else {
      auto box = kv_outbox{};
      i->second.receiver.on(m.offer, now, box);
      after(i, std::move(box));
    }
    return true;
  }
  return false;
}

void kv_store_state::on(const handoff_offer& m, time_point now) {
  if (!m.source || known(m, now))
    return;
  if (!m.stream)
    return refuse(m, {errc::invalid_argument, "a handoff without a stream"});
  if (auto ok = check(m.spec, opts_.weights->params); !ok)
    return refuse(m, ok.failure());
  if (auto ok = check(m.offer, m.spec); !ok)
    return refuse(m, ok.failure());
  // A newer life of the sequence replaces an older one.
  forget(m.offer.seq, m.offer.epoch);
  if (auto ok = open(m, now); !ok)
    refuse(m, ok.failure());
}

// Nobody waits here: whoever is refused has the tokens, and computes again.
result<void> kv_store_state::open(const handoff_offer& m, time_point now) {
  if (auto room = store_->make_room(m.offer.blocks); !room)
    return room;
  auto box = kv_outbox{};
  auto opts = kv_receiver::options{opts_.weights->digest, 8, opts_.timing,
                                   m.offer.blocks};
  auto receiver =
      kv_receiver::open(m.offer, store_->pool(), std::move(opts), now, box);
  if (!receiver)
    return receiver.failure();
  auto i = incoming_.emplace(m.offer.seq,
                             incoming{m, std::move(*receiver), m.offer.blocks});
  after(i.first, std::move(box));
  return {};
}

// -- chunks and commits -------------------------------------------------------

// Only the source itself may fill, commit or abort what it offered.
kv_store_state::incoming_map::iterator
kv_store_state::find(seq_id seq, epoch_t epoch, const caf::actor_addr& from) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
                 && i->second.what.source == from
             ? i
             : incoming_.end();
}

// Sends what a receiver answered, and acts on where it stands.
void kv_store_state::after(incoming_map::iterator i, kv_outbox box) {
  for (auto& m : box)
    out_.to_source.emplace_back(i->second.what.source, std::move(m));
  if (i->second.receiver.accepted()) {
    keep(i);
  } else if (i->second.receiver.failed()) {
    over_.add(i->first, i->second.receiver.epoch(), false);
    incoming_.erase(i);
  }
}

void kv_store_state::keep(incoming_map::iterator i) {
  auto& in = i->second;
  auto seq = i->first;
  auto& e = entries_[seq];
  e.spec = std::move(in.what.spec);
  e.spec.emitted = in.receiver.committed().emitted;
  e.tokens = in.receiver.committed().tokens;
  e.owner = in.what.source;
  e.stream = in.what.stream;
  e.last_sent = e.spec.epoch;
  store_->put(seq, in.receiver.take_table());
  incoming_.erase(i);
}

// A chunk or commit outside any handoff: its source must not wait for us.
void kv_store_state::answer_late(seq_id seq, epoch_t epoch, bool commit,
                                 const kv_source_actor& from) {
  if (!from)
    return;
  auto i = entries_.find(seq);
  if ((i != entries_.end() && i->second.spec.epoch == epoch)
      || over_.taken(seq, epoch)) {
    if (commit)
      out_.to_source.emplace_back(from, kv_accepted{seq, epoch});
  } else {
    out_.to_source.emplace_back(from,
                                kv_abort{seq, epoch, errc::unknown_sequence,
                                         "no such handoff in this KV store"});
  }
}

// A sequence may have grown since it was offered, and so may what it needs.
void kv_store_state::make_room_for(incoming& in, const kv_chunk& m) {
  auto end = uint64_t{m.first_block} + m.blocks;
  if (end <= in.reserved || end > in.what.offer.max_blocks)
    return;
  // If there is none, the receiver will say so.
  if (store_->make_room(static_cast<uint32_t>(end) - in.reserved))
    in.reserved = static_cast<uint32_t>(end);
}

void kv_store_state::on(const kv_chunk& m, const kv_source_actor& from,
                        time_point now) {
  auto i = find(m.seq, m.epoch, caf::actor_cast<caf::actor_addr>(from));
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, false, from);
  make_room_for(i->second, m);
  auto box = kv_outbox{};
  i->second.receiver.on(m, now, box);
  after(i, std::move(box));
}

void kv_store_state::on(const kv_commit& m, const kv_source_actor& from,
                        time_point now) {
  auto i = find(m.seq, m.epoch, caf::actor_cast<caf::actor_addr>(from));
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, true, from);
  auto box = kv_outbox{};
  commit(i->second.receiver, m, i->second.what.spec, opts_.weights->params, now,
         box);
  after(i, std::move(box));
}

// -- either -------------------------------------------------------------------

// Drops every life of the sequence up to `epoch`, telling whoever sends or
// gets it.
void kv_store_state::forget(seq_id seq, epoch_t epoch) {
  auto gone = error{errc::cancelled, "the sequence was cancelled"};
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    auto box = kv_outbox{};
    i->second.receiver.abort(gone.code, gone.message, box);
    after(i, std::move(box));
  }
  if (auto i = entries_.find(seq);
      i != entries_.end() && i->second.spec.epoch <= epoch) {
    if (i->second.on_its_way) {
      auto box = kv_outbox{};
      i->second.on_its_way->move.sender().abort(gone.code, gone.message, box);
      send(i->second, std::move(box));
    }
    drop(i);
  }
}

void kv_store_state::cancel(const cancel_sequence& m) {
  forget(m.seq, m.epoch);
  over_.add(m.seq, m.epoch, false);
}

void kv_store_state::tick(time_point now) {
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, in] : incoming_)
    seqs.push_back(seq);
  for (auto seq : seqs) {
    auto i = incoming_.find(seq);
    auto box = kv_outbox{};
    i->second.receiver.tick(now, box);
    after(i, std::move(box));
  }
  tick_outgoing(now);
}

bool kv_store_state::has_handoffs() const {
  return !incoming_.empty() || outgoing_ > 0;
}

node_status kv_store_state::status() const {
  auto used = store_->used();
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::store;
  s.sequences = static_cast<uint32_t>(entries_.size() + incoming_.size());
  s.file_blocks = used.file_blocks;
  s.spilled_bytes = used.spilled_bytes;
  s.refused = refused_;
  s.blocks_in_use = store_->pool().in_use() + used.file_blocks;
  s.blocks_total = store_->pool().capacity() + used.file_capacity;
  return s;
}

} // namespace troupe
