#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

void decode_state::init(node_options opts) {
  opts_ = std::move(opts);
  pool_.emplace(opts_.arena, opts_.blocks);
  batch_.emplace(opts_, std::max(1u, opts_.max_batch));
}

// -- admission ----------------------------------------------------------------

void decode_state::send(const kv_source_actor& to, kv_message m) {
  if (to)
    out_.to_source.emplace_back(to, std::move(m));
}

void decode_state::refuse(const handoff_offer& m, const error& e) {
  send(m.source, kv_abort{m.offer.seq, m.offer.epoch, e.code, e.message});
}

// Answers an offer of a life that this node has seen already, or is past.
bool decode_state::known(const handoff_offer& m, time_point now) {
  auto seq = m.offer.seq;
  auto epoch = m.offer.epoch;
  auto stale = error{errc::stale_epoch, "the sequence has ended or moved on"};
  if (over_.over(seq, epoch)) {
    refuse(m, stale);
    return true;
  }
  if (auto* s = batch_->find(seq); s != nullptr && s->spec.epoch >= epoch) {
    if (s->spec.epoch > epoch)
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
      after(i, std::move(box), now);
    }
    return true;
  }
  for (auto& w : waiting_)
    if (w.offer.seq == seq && w.offer.epoch >= epoch) {
      if (w.offer.epoch > epoch || w.source != m.source)
        refuse(m, stale);
      else
        send(m.source, kv_grant{seq, epoch, 0});
      return true;
    }
  return false;
}

void decode_state::on(const handoff_offer& m, time_point now) {
  if (!m.source || known(m, now))
    return;
  if (!m.stream)
    return refuse(m, {errc::invalid_argument, "a handoff without a stream"});
  if (auto ok = check(m.spec, opts_.weights->params); !ok)
    return refuse(m, ok.failure());
  if (auto ok = check(m.offer, m.spec); !ok)
    return refuse(m, ok.failure());
  if (m.offer.max_blocks > pool_->capacity())
    return refuse(
        m, {errc::no_free_blocks, "prompt and answer need "
                                      + std::to_string(m.offer.max_blocks)
                                      + " KV blocks; this decode node has "
                                      + std::to_string(pool_->capacity())});
  // A newer life of the sequence replaces an older one.
  forget(m.offer.seq, m.offer.epoch);
  admit_waiting(now);
  // First come, first served: nobody overtakes a sequence that waits.
  if (waiting_.empty() && open(m, now))
    return;
  if (waiting_.size() >= max_waiting)
    return refuse(m, {errc::overloaded, "too many sequences wait for blocks"});
  waiting_.push_back(m);
  send(m.source, kv_grant{m.offer.seq, m.offer.epoch, 0});
}

// False: no blocks free now. Everything else is answered.
bool decode_state::open(const handoff_offer& m, time_point now) {
  auto box = kv_outbox{};
  auto opts = kv_receiver::options{opts_.weights->digest, 8, opts_.timing};
  auto receiver = kv_receiver::open(m.offer, *pool_, std::move(opts), now, box);
  if (!receiver) {
    if (receiver.failure().code == errc::no_free_blocks)
      return false;
    refuse(m, receiver.failure());
    return true;
  }
  auto i = incoming_.emplace(m.offer.seq, incoming{m, std::move(*receiver)});
  after(i.first, std::move(box), now);
  return true;
}

void decode_state::admit_waiting(time_point now) {
  while (!waiting_.empty() && open(waiting_.front(), now))
    waiting_.pop_front();
}

// Drops every life of the sequence up to `epoch`, telling whoever sends it.
void decode_state::forget(seq_id seq, epoch_t epoch) {
  auto gone = error{errc::cancelled, "the sequence was cancelled"};
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    refuse(i->second.what, gone);
    incoming_.erase(i);
  }
  std::erase_if(waiting_, [&](auto& w) {
    if (w.offer.seq != seq || w.offer.epoch > epoch)
      return false;
    refuse(w, gone);
    return true;
  });
  batch_->erase_if(
      [&](auto& s) { return s.spec.seq == seq && s.spec.epoch <= epoch; });
}

void decode_state::cancel(const cancel_sequence& m, time_point now) {
  over_.add(m.seq, m.epoch, false);
  forget(m.seq, m.epoch);
  admit_waiting(now);
}

void decode_state::peer_down(const caf::actor_addr& peer, time_point now) {
  std::erase_if(waiting_, [&](auto& w) { return w.source == peer; });
  std::erase_if(incoming_,
                [&](auto& x) { return x.second.what.source == peer; });
  // Nobody is left to read these.
  auto unread = std::vector<std::pair<seq_id, epoch_t>>{};
  for (auto& w : waiting_)
    if (w.stream == peer)
      unread.emplace_back(w.offer.seq, w.offer.epoch);
  for (auto& [seq, in] : incoming_)
    if (in.what.stream == peer)
      unread.emplace_back(seq, in.receiver.epoch());
  for (auto [seq, epoch] : unread)
    forget(seq, epoch);
  batch_->erase_if([&](auto& s) { return s.stream == peer; });
  admit_waiting(now);
}

// -- compute ------------------------------------------------------------------

void decode_state::step() {
  for (auto& s : batch_->step(out_.outputs).ended)
    over_.add(s.spec.seq, s.spec.epoch, true);
}

node_status decode_state::status() const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::decode;
  s.sequences = static_cast<uint32_t>(batch_->size() + incoming_.size());
  s.waiting = static_cast<uint32_t>(waiting_.size());
  s.blocks_in_use = pool_->in_use();
  s.blocks_total = pool_->capacity();
  s.steps = batch_->steps();
  s.largest_batch = batch_->largest();
  return s;
}

} // namespace troupe
