#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

// -- offers -------------------------------------------------------------------

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
  if (auto i = incoming_.find(seq); i != incoming_.end()
                                    && i->second.receiver.epoch() == epoch
                                    && i->second.what.source == m.source) {
    auto box = kv_outbox{};
    i->second.receiver.on(m.offer, now, box);
    after(i, std::move(box), now);
    return true;
  }
  if (auto i = offers_.find(seq); i != offers_.end()
                                  && i->second.what.offer.epoch == epoch
                                  && i->second.what.source == m.source) {
    send(m.source, kv_grant{seq, epoch, 0});
    return true;
  }
  if (auto* s = batch_->find(seq); s != nullptr && s->spec.epoch == epoch)
    return true; // accepted: its commit will be answered
  if (newest(seq) >= epoch) {
    refuse(m, stale);
    return true;
  }
  return false;
}

void decode_state::on(const handoff_offer& m, time_point now) {
  stir();
  if (!m.source || known(m, now))
    return;
  auto seq = m.offer.seq;
  if (!m.stream)
    return refuse(m, {errc::invalid_argument, "a handoff without a stream"});
  auto parked = parked_.find(seq);
  auto fetched = parked != parked_.end() && parked->second.fetching
                 && opts_.store && m.source == opts_.store;
  if (auto ok = accept(m.spec); !ok && !(fetched && draining_))
    return refuse(m, ok.failure());
  if (auto ok = check(m.offer, m.spec); !ok)
    return refuse(m, ok.failure());
  // Now rather than when its turn comes.
  if (auto ok =
          kv_receiver::check(m.offer, pool_->layout(), opts_.weights->digest);
      !ok)
    return refuse(m, ok.failure());
  if (fetched) {
    // It was let in when it was sent for.
    if (open(m, parked->second.arrival_ns, now))
      return;
    // The store may have sent the offer twice.
    over_.add(seq, m.offer.epoch, false);
    parked->second.fetching = false;
    join_line(seq);
    return refuse(m, {errc::no_free_blocks, "others took the blocks"});
  }
  // A newer life of the sequence replaces an older one.
  forget(seq, m.offer.epoch);
  offers_.emplace(seq, offered{m, now.time_since_epoch().count()});
  join_line(seq);
  admit(now);
  if (offers_.contains(seq))
    send(m.source, kv_grant{seq, m.offer.epoch, 0});
}

// False: no blocks free now. Everything else is answered.
bool decode_state::open(const handoff_offer& m, int64_t arrival_ns,
                        time_point now) {
  auto box = kv_outbox{};
  auto opts = kv_receiver::options{opts_.weights->digest, 8, opts_.timing};
  if (opts_.preempt)
    opts.reserve = m.offer.blocks + 1;
  auto wanted = std::clamp(opts.reserve, m.offer.blocks, m.offer.max_blocks);
  // Nothing is evicted for what does not fit all the same.
  if (wanted > free_blocks())
    return false;
  if (wanted > pool_->available())
    index_->evict(wanted - pool_->available());
  auto receiver = kv_receiver::open(m.offer, *pool_, std::move(opts), now, box);
  if (!receiver) {
    if (receiver.failure().code == errc::no_free_blocks)
      return false;
    refuse(m, receiver.failure());
    return true;
  }
  auto i = incoming_.emplace(m.offer.seq,
                             incoming{m, std::move(*receiver), arrival_ns});
  after(i.first, std::move(box), now);
  return true;
}

// -- handoff ------------------------------------------------------------------

// Only the source itself may fill, commit or abort what it offered.
decode_state::incoming_map::iterator
decode_state::find(seq_id seq, epoch_t epoch, const kv_source_actor& from) {
  auto i = incoming_.find(seq);
  return i != incoming_.end() && i->second.receiver.epoch() == epoch
                 && i->second.what.source == from
             ? i
             : incoming_.end();
}

// Sends what a receiver answered, and acts on where it stands.
void decode_state::after(incoming_map::iterator i, kv_outbox box,
                         time_point now) {
  for (auto& m : box)
    send(i->second.what.source, std::move(m));
  if (i->second.receiver.accepted()) {
    join(i, now);
  } else if (i->second.receiver.failed()) {
    auto seq = i->first;
    over_.add(seq, i->second.receiver.epoch(), false);
    incoming_.erase(i);
    // What the store kept was no good: its tokens are.
    if (parked_.contains(seq))
      unpark(seq);
    admit(now);
  }
}

void decode_state::join(incoming_map::iterator i, time_point now) {
  auto& in = i->second;
  auto s = decoding{};
  s.spec = std::move(in.what.spec);
  s.generated = in.receiver.committed().emitted;
  s.table = in.receiver.take_table();
  s.stream = in.what.stream;
  s.arrival_ns = in.arrival_ns;
  // Whoever placed the sequence knows where it is; who moved it does not.
  if (parked_.erase(s.spec.seq) == 0 && has_moved(s.spec.epoch)) {
    auto m = sequence_moved{};
    m.request = s.spec.request;
    m.seq = s.spec.seq;
    m.epoch = s.spec.epoch;
    m.node = opts_.id;
    out_.moves.emplace_back(s.stream, std::move(m));
  }
  incoming_.erase(i);
  auto seq = s.spec.seq;
  batch_->join(std::move(s));
  if (draining_) // it comes from the store
    move_away(*batch_->find(seq), now);
}

// A chunk or commit outside any handoff: its source must not wait for us.
void decode_state::answer_late(seq_id seq, epoch_t epoch, bool commit,
                               const kv_source_actor& from) {
  auto* s = batch_->find(seq);
  if ((s != nullptr && s->spec.epoch == epoch) || over_.taken(seq, epoch)) {
    if (commit)
      send(from, kv_accepted{seq, epoch});
  } else {
    send(from, kv_abort{seq, epoch, errc::unknown_sequence,
                        "no such handoff on this decode node"});
  }
}

void decode_state::on(const kv_chunk& m, const kv_source_actor& from,
                      time_point now) {
  stir();
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, false, from);
  auto box = kv_outbox{};
  i->second.receiver.on(m, now, box);
  after(i, std::move(box), now);
}

void decode_state::on(const kv_commit& m, const kv_source_actor& from,
                      time_point now) {
  stir();
  auto i = find(m.seq, m.epoch, from);
  if (i == incoming_.end())
    return answer_late(m.seq, m.epoch, true, from);
  auto box = kv_outbox{};
  commit(i->second.receiver, m, i->second.what.spec, opts_.weights->params, now,
         box);
  after(i, std::move(box), now);
}

void decode_state::on(const kv_abort& m, const caf::actor_addr& from,
                      time_point now) {
  stir();
  if (auto i = incoming_.find(m.seq); i != incoming_.end()
                                      && i->second.receiver.epoch() == m.epoch
                                      && i->second.what.source == from) {
    i->second.receiver.on(m);
    after(i, {}, now);
  } else if (auto o = offers_.find(m.seq);
             o != offers_.end() && o->second.what.offer.epoch == m.epoch
             && o->second.what.source == from) {
    over_.add(m.seq, m.epoch, false);
    offers_.erase(o);
    line_.erase(m.seq);
  } else if (auto* going = find_outgoing(m.seq, m.epoch, from)) {
    going->move.sender().on(m);
    settle(m.seq, now);
  } else if (auto p = parked_.find(m.seq); p != parked_.end() && opts_.store
                                           && opts_.store == from
                                           && p->second.spec.epoch == m.epoch) {
    // The store has lost it, or never had it.
    unpark(m.seq);
  }
  admit(now);
}

void decode_state::tick(time_point now) {
  stir();
  auto open = std::vector<seq_id>{};
  for (auto& [seq, in] : incoming_)
    open.push_back(seq);
  for (auto seq : open)
    if (auto i = incoming_.find(seq); i != incoming_.end()) {
      auto box = kv_outbox{};
      i->second.receiver.tick(now, box);
      after(i, std::move(box), now);
    }
  open.clear();
  for (auto& [seq, o] : outgoing_)
    open.push_back(seq);
  for (auto seq : open)
    tick_outgoing(seq, now);
  // What the store has sent may have got lost, to the last word of it.
  for (auto& [seq, p] : parked_)
    if (p.fetching && !incoming_.contains(seq)
        && now - p.asked >= opts_.timing.lease) {
      p.asked = now;
      ++p.fetches;
      out_.fetches.push_back({seq, p.spec.epoch, {}});
    }
}

} // namespace troupe
