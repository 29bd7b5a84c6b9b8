#include "actors/check_spec.hpp"
#include "actors/kv_store.hpp"

namespace troupe {

// -- sending on ---------------------------------------------------------------

void kv_store_state::on(const fetch_sequence& m, time_point now) {
  if (!m.to)
    return;
  auto answer = [&](errc code, std::string reason) {
    out_.to_destination.emplace_back(
        m.to, kv_abort{m.seq, m.epoch, code, std::move(reason)});
  };
  auto i = entries_.find(m.seq);
  if (i == entries_.end() || i->second.spec.epoch != m.epoch)
    return answer(errc::unknown_sequence, "no such sequence in this KV store");
  auto& e = i->second;
  if (e.on_its_way) {
    if (e.on_its_way->to != m.to)
      answer(errc::unknown_sequence, "the sequence goes to another node");
    return;
  }
  auto table = store_->pin(m.seq);
  if (!table) {
    answer(table.failure().code, table.failure().message);
    if (!store_->contains(m.seq))
      drop(i);
    return;
  }
  start(e, **table, m.to, now);
}

// Every attempt is a move of its own: what a destination still hears of an
// earlier one is of a life that is over.
void kv_store_state::start(entry& e, const page_table& table,
                           const kv_destination_actor& to, time_point now) {
  e.last_sent = next_move(e.last_sent);
  auto offer = offer_of(e.spec, e.last_sent, e.tokens, store_->pool().layout(),
                        opts_.weights->digest);
  e.on_its_way.emplace(outgoing{to, kv_move{std::move(offer), opts_.timing}});
  ++outgoing_;
  auto box = kv_outbox{};
  e.on_its_way->move.start(now, box);
  e.on_its_way->move.finish(table, e.spec.emitted, now, box);
  send(e, std::move(box));
}

void kv_store_state::send(entry& e, kv_outbox box) {
  auto seq = e.spec.seq;
  for (auto& m : box) {
    if (std::holds_alternative<kv_offer>(m)) {
      auto& spec = out_.specs[seq] = e.spec;
      spec.epoch = e.last_sent;
      out_.streams[seq] = e.stream;
    }
    out_.to_destination.emplace_back(e.on_its_way->to, std::move(m));
  }
}

// Only the destination itself may speak for a sequence on its way.
kv_store_state::entry_map::iterator
kv_store_state::find_sent(seq_id seq, epoch_t epoch,
                          const caf::actor_addr& from) {
  auto i = entries_.find(seq);
  return i != entries_.end() && i->second.on_its_way
                 && i->second.last_sent == epoch
                 && i->second.on_its_way->to == from
             ? i
             : entries_.end();
}

void kv_store_state::on(const kv_grant& m, const kv_destination_actor& from,
                        time_point now) {
  auto i = find_sent(m.seq, m.epoch, caf::actor_cast<caf::actor_addr>(from));
  if (i != entries_.end()) {
    auto box = kv_outbox{};
    i->second.on_its_way->move.sender().on(m, now, box);
    send(i->second, std::move(box));
  } else if (from) {
    // Blocks are kept for nobody there.
    out_.to_destination.emplace_back(
        from, kv_abort{m.seq, m.epoch, errc::unknown_sequence,
                       "no such handoff from this KV store"});
  }
}

void kv_store_state::on(const kv_credit& m, const caf::actor_addr& from,
                        time_point now) {
  auto i = find_sent(m.seq, m.epoch, from);
  if (i == entries_.end())
    return;
  auto box = kv_outbox{};
  i->second.on_its_way->move.sender().on(m, now, box);
  send(i->second, std::move(box));
}

void kv_store_state::on(const kv_accepted& m, const caf::actor_addr& from) {
  auto i = find_sent(m.seq, m.epoch, from);
  if (i == entries_.end())
    return;
  i->second.on_its_way->move.sender().on(m);
  if (i->second.on_its_way->move.sender().done())
    drop(i);
}

// -- either -------------------------------------------------------------------

void kv_store_state::on(const kv_abort& m, const caf::actor_addr& from) {
  if (auto i = find(m.seq, m.epoch, from); i != incoming_.end()) {
    i->second.receiver.on(m);
    after(i, {});
  }
  if (auto i = find_sent(m.seq, m.epoch, from); i != entries_.end()) {
    i->second.on_its_way->move.sender().on(m);
    if (i->second.on_its_way->move.sender().may_be_taken())
      drop(i);
    else
      stay(i);
  }
}

// The sequence did not get to where it went: it is here for another try, if
// anybody is left to ask for it.
void kv_store_state::stay(entry_map::iterator i) {
  i->second.on_its_way.reset();
  --outgoing_;
  store_->unpin(i->first);
  if (i->second.owner_gone)
    drop(i);
}

// Ends a stored sequence, whatever it is doing.
void kv_store_state::drop(entry_map::iterator i) {
  if (i->second.on_its_way)
    --outgoing_;
  store_->erase(i->first);
  over_.add(i->first, i->second.spec.epoch, true);
  entries_.erase(i);
}

void kv_store_state::tick_outgoing(time_point now) {
  for (auto i = entries_.begin(); i != entries_.end();) {
    auto here = i++;
    if (!here->second.on_its_way)
      continue;
    auto& sender = here->second.on_its_way->move.sender();
    auto box = kv_outbox{};
    sender.tick(now, box);
    send(here->second, std::move(box));
    // Who has taken the sequence over writes the very blocks that are held
    // here.
    if (sender.may_be_taken())
      drop(here);
    else if (sender.failed())
      stay(here);
  }
}

void kv_store_state::peer_down(const caf::actor_addr& peer) {
  for (auto i = incoming_.begin(); i != incoming_.end();) {
    auto here = i++;
    auto& what = here->second.what;
    if (what.source != peer && what.stream != peer)
      continue;
    auto box = kv_outbox{};
    here->second.receiver.abort(errc::abandoned,
                                "nobody is left to read the answer", box);
    after(here, std::move(box));
  }
  for (auto i = entries_.begin(); i != entries_.end();) {
    auto here = i++;
    auto& e = here->second;
    if (e.owner == peer)
      e.owner_gone = true;
    if (e.on_its_way && e.on_its_way->to == peer) {
      stay(here);
    } else if (e.stream == peer) {
      forget(here->first, e.spec.epoch);
    } else if (e.owner_gone && !e.on_its_way) {
      drop(here);
    }
  }
}

} // namespace troupe
