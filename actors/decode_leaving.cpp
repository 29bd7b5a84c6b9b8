#include "actors/decode_node.hpp"

namespace troupe {

// -- how moves end ------------------------------------------------------------

// Looks whether a sequence has gone, or cannot go.
void decode_state::settle(seq_id seq, time_point now) {
  auto i = outgoing_.find(seq);
  if (i == outgoing_.end())
    return;
  auto& o = i->second;
  if (o.move.sender().done()) {
    handed_over(i, now);
  } else if (o.move.sender().may_be_taken() && !o.swap) {
    // Only the session can tell where it is.
    auto why = o.move.sender().failure();
    auto out = failed_output(o.stopped->spec, why);
    out.index = static_cast<uint32_t>(o.stopped->generated.size());
    out_.outputs.emplace_back(o.stopped->stream, std::move(out));
    drop_outgoing(i, why);
  } else if (o.move.sender().failed()) {
    keep_here(i, o.move.sender().failure());
  }
}

void decode_state::handed_over(outgoing_map::iterator i, time_point now) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  auto& s = *o.stopped;
  auto epoch = o.move.epoch();
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
    if (draining_ && peers_.empty()) {
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
void decode_state::keep_here(outgoing_map::iterator i, error why) {
  auto seq = i->first;
  auto o = std::move(i->second);
  outgoing_.erase(i);
  if (o.swap && opts_.store)
    out_.drops.push_back({seq, o.move.epoch()});
  if (o.stopped) {
    auto s = std::move(*o.stopped);
    // The epoch of the failed move is spent.
    s.spec.epoch = o.move.epoch();
    if (o.swap)
      recompute(std::move(s));
    else
      batch_->rejoin(std::move(s));
  } else if (auto* s = batch_->find(seq)) {
    s->spec.epoch = o.move.epoch();
  }
  if (!o.swap)
    answer(o.request, why);
  if (draining_)
    if (auto s = batch_->take(seq))
      give_back(s->spec, s->stream, s->generated);
}

// Its move, which it has not stopped for, is not worth it any more.
void decode_state::call_off(outgoing_map::iterator i, const error& why) {
  auto box = kv_outbox{};
  i->second.move.sender().abort(why.code, why.message, box);
  for (auto& m : box)
    out_.to_destination.emplace_back(i->second.to, std::move(m));
  keep_here(i, why);
}

// It ends here, wherever it was going.
void decode_state::drop_outgoing(outgoing_map::iterator i, const error& why) {
  auto seq = i->first;
  auto& o = i->second;
  auto box = kv_outbox{};
  o.move.sender().abort(why.code, why.message, box);
  for (auto& m : box)
    out_.to_destination.emplace_back(o.to, std::move(m));
  if (o.swap)
    out_.drops.push_back({seq, o.move.epoch()});
  else
    answer(o.request, why);
  over_.add(seq, o.move.epoch(), false);
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

void decode_state::move_away(decoding& s, time_point now) {
  auto request = s.spec.request;
  if (outgoing_.contains(s.spec.seq))
    return;
  if (!peers_.empty())
    return migrate(request, peers_[next_peer_++ % peers_.size()], now);
  give_back(s.spec, s.stream, s.generated);
  batch_->take(s.spec.seq);
}

void decode_state::drain(std::vector<kv_destination_actor> peers,
                         time_point now) {
  stir();
  if (!std::exchange(draining_, true))
    drained_ = {};
  drained_.node = opts_.id;
  peers_ = std::move(peers);
  // Whoever comes back from the store does so as others leave.
  scheduled_ = view_pending_ = false;
  for (auto& [seq, p] : prompts_)
    give_back(p.spec, p.stream, p.spec.emitted);
  prompts_.clear();
  prefilling_.clear();
  auto refused = error{errc::no_node, "the node is being drained"};
  for (auto& [seq, o] : offers_)
    refuse(o.what, refused);
  offers_.clear();
  auto stays = [&](seq_id seq) {
    return !peers_.empty() && parked_.contains(seq);
  };
  std::erase_if(incoming_, [&](auto& x) {
    if (stays(x.first))
      return false;
    refuse(x.second.what, refused);
    return true;
  });
  line_.clear();
  std::erase_if(parked_, [&](auto& x) {
    auto& [seq, p] = x;
    if (stays(seq)) {
      if (!p.fetching)
        join_line(seq);
      return false;
    }
    out_.drops.push_back({seq, p.spec.epoch});
    give_back(p.spec, p.stream, p.generated);
    return true;
  });
  auto seqs = std::vector<seq_id>{};
  batch_->for_each([&](auto& s) { seqs.push_back(s.spec.seq); });
  for (auto seq : seqs)
    move_away(*batch_->find(seq), now);
  admit(now);
}

} // namespace troupe
