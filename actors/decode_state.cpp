#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

void decode_state::init(node_options opts) {
  opts_ = std::move(opts);
  scheduled_ = opts_.preempt;
  limits_ = limits_of(opts_);
  pool_.emplace(opts_.arena, opts_.blocks);
  index_.emplace(opts_.cached_blocks);
  batch_.emplace(opts_, limits_.most_tokens());
  pace_ = output_pace{opts_.gather_within};
  sampler_.emplace(opts_.weights);
}

std::optional<routed_outputs> decode_state::take_outputs() {
  before_sending();
  if (!out_.only_outputs())
    return std::nullopt;
  pace_.sent();
  kept_ = 0;
  return std::exchange(out_.outputs, {});
}

decode_state::effects decode_state::take_effects() {
  before_sending();
  pace_.sent();
  kept_ = 0;
  return std::exchange(out_, {});
}

// Whether it has become empty, above all.
void decode_state::before_sending() {
  stuck_ = stuck_ && batch_->size() > 0;
  if (draining_ && drained_.node != 0
      && batch_->size() + prompts_.size() + offers_.size() + parked_.size()
                 + incoming_.size() + outgoing_.size()
             == 0)
    out_.empty = std::exchange(drained_, {});
}

// -- admission ----------------------------------------------------------------

result<void> decode_state::accept(const sequence_spec& spec) const {
  if (draining_)
    return fail(errc::no_node, "the node is being drained");
  if (auto ok = check(spec, opts_.weights->params); !ok)
    return ok.failure();
  auto need = kv_layout::blocks_for(spec.max_length());
  if (need > pool_->capacity())
    return fail(errc::no_free_blocks, "prompt and answer need "
                                          + std::to_string(need)
                                          + " KV blocks; this node has "
                                          + std::to_string(pool_->capacity()));
  if (line_.size() >= max_waiting)
    return fail(errc::overloaded, "too many sequences wait for blocks");
  return {};
}

// The newest life of a sequence that is here, in whatever state; 0: none.
epoch_t decode_state::newest(seq_id seq) const {
  auto e = epoch_t{0};
  auto see = [&](epoch_t x) { e = std::max(e, x); };
  if (auto* s = batch_->find(seq))
    see(s->spec.epoch);
  if (auto i = prompts_.find(seq); i != prompts_.end())
    see(i->second.spec.epoch);
  if (auto i = offers_.find(seq); i != offers_.end())
    see(i->second.what.offer.epoch);
  if (auto i = parked_.find(seq); i != parked_.end())
    see(i->second.spec.epoch);
  if (auto i = incoming_.find(seq); i != incoming_.end())
    see(i->second.receiver.epoch());
  if (auto i = outgoing_.find(seq); i != outgoing_.end())
    see(i->second.move.epoch());
  return e;
}

void decode_state::submit(prefill_job&& what, time_point now) {
  stir();
  if (!what.stream)
    return;
  auto seq = what.spec.seq;
  auto epoch = what.spec.epoch;
  if (over_.over(seq, epoch) || newest(seq) >= std::max<epoch_t>(epoch, 1))
    return;
  // A newer life of the sequence replaces an older one.
  forget(seq, epoch);
  if (auto ok = accept(what.spec); !ok) {
    out_.outputs.emplace_back(what.stream,
                              failed_output(what.spec, ok.failure()));
    return;
  }
  auto p = prompt{};
  p.spec = std::move(what.spec);
  p.stream = std::move(what.stream);
  p.arrival_ns = now.time_since_epoch().count();
  enqueue(std::move(p));
  admit(now);
}

decode_state::prompt& decode_state::enqueue(prompt&& p) {
  auto seq = p.spec.seq;
  p.tokens = p.spec.prompt;
  p.tokens.insert(p.tokens.end(), p.spec.emitted.begin(), p.spec.emitted.end());
  auto i = prompts_.insert_or_assign(seq, std::move(p)).first;
  join_line(seq);
  return i->second;
}

// -- ends ---------------------------------------------------------------------

// Drops every life of the sequence up to `epoch`, telling whoever is involved.
void decode_state::forget(seq_id seq, epoch_t epoch) {
  auto gone = error{errc::cancelled, "the sequence was cancelled"};
  auto erased = false;
  if (auto i = prompts_.find(seq);
      i != prompts_.end() && i->second.spec.epoch <= epoch) {
    std::erase(prefilling_, seq);
    prompts_.erase(i);
    erased = true;
  }
  if (auto i = offers_.find(seq);
      i != offers_.end() && i->second.what.offer.epoch <= epoch) {
    refuse(i->second.what, gone);
    offers_.erase(i);
    erased = true;
  }
  if (auto i = incoming_.find(seq);
      i != incoming_.end() && i->second.receiver.epoch() <= epoch) {
    refuse(i->second.what, gone);
    incoming_.erase(i);
  }
  if (auto i = parked_.find(seq);
      i != parked_.end() && i->second.spec.epoch <= epoch) {
    out_.drops.push_back({seq, epoch});
    parked_.erase(i);
    erased = true;
  }
  if (auto i = outgoing_.find(seq);
      i != outgoing_.end() && i->second.move.epoch() <= next_move(epoch))
    drop_outgoing(i, gone);
  if (erased)
    line_.erase(seq);
  batch_->erase_if(
      [&](auto& s) { return s.spec.seq == seq && s.spec.epoch <= epoch; });
}

void decode_state::cancel(const cancel_sequence& m, time_point now) {
  stir();
  over_.add(m.seq, m.epoch, false);
  forget(m.seq, m.epoch);
  admit(now);
}

void decode_state::peer_down(const caf::actor_addr& peer, time_point now) {
  stir();
  // Nobody is left to read these.
  auto unread = std::vector<seq_id>{};
  auto see = [&](seq_id seq, const stream_actor& stream) {
    if (stream == peer)
      unread.push_back(seq);
  };
  for (auto& [seq, p] : prompts_)
    see(seq, p.stream);
  for (auto& [seq, o] : offers_)
    see(seq, o.what.stream);
  for (auto& [seq, in] : incoming_)
    see(seq, in.what.stream);
  for (auto& [seq, p] : parked_)
    see(seq, p.stream);
  for (auto& [seq, o] : outgoing_)
    if (o.stopped)
      see(seq, o.stopped->stream);
  batch_->for_each([&](auto& s) { see(s.spec.seq, s.stream); });
  for (auto seq : unread)
    forget(seq, last_move(newest(seq)));
  // These were on their way from or to it.
  std::erase_if(incoming_, [&](auto& x) {
    return x.second.what.source == peer && !parked_.contains(x.first);
  });
  auto lost = std::vector<seq_id>{};
  for (auto& [seq, o] : offers_)
    if (o.what.source == peer)
      lost.push_back(seq);
  for (auto seq : lost) {
    offers_.erase(seq);
    line_.erase(seq);
  }
  lost.clear();
  for (auto& [seq, o] : outgoing_)
    if (o.to == peer)
      lost.push_back(seq);
  for (auto seq : lost)
    keep_here(outgoing_.find(seq),
              {errc::abandoned, "the destination is gone"});
  if (opts_.store && opts_.store == peer) {
    opts_.store = nullptr;
    lost.clear();
    for (auto& [seq, p] : parked_)
      lost.push_back(seq);
    for (auto seq : lost)
      unpark(seq);
  }
  std::erase_if(peers_, [&](auto& p) { return p == peer; });
  admit(now);
}

node_status decode_state::status(const status_query& q) const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = opts_.role;
  s.sequences = static_cast<uint32_t>(
      batch_->size() + prompts_.size() + incoming_.size() + offers_.size()
      + parked_.size()
      + std::count_if(outgoing_.begin(), outgoing_.end(),
                      [](auto& o) { return o.second.stopped.has_value(); }));
  s.waiting = static_cast<uint32_t>(line_.size() + prefilling_.size());
  s.cached_blocks = index_->reclaimable();
  s.blocks_in_use = pool_->in_use() - s.cached_blocks;
  s.blocks_total = pool_->capacity();
  s.steps = batch_->steps();
  s.largest_batch = batch_->largest();
  s.hit_tokens = hit_tokens_;
  s.swaps = swaps_;
  s.recomputes = recomputes_;
  s.compacted = compacted_;
  if (q.detail == 0)
    return s;
  auto m = kv_map{*opts_.arena};
  batch_->for_each([&](auto& r) { m.add(r.spec.request, r.table); });
  for (auto& [seq, p] : prompts_)
    m.add(p.spec.request, p.table);
  for (auto& [seq, o] : outgoing_)
    if (o.stopped)
      m.add(o.request, o.stopped->table);
  m.add(*index_);
  s.map = m.runs(node_status::max_runs);
  return s;
}

// Those in the line will decode here as well, but the registry has them in its
// books already.
node_load decode_state::load() {
  learn();
  auto l = node_load{};
  l.rows = static_cast<uint32_t>(batch_->size());
  batch_->for_each([&](auto& s) { l.decode_context += s.table.length() + 1; });
  for (auto& [seq, p] : prompts_)
    l.prompt_tokens += p.tokens.size() - p.table.length();
  l.free_blocks = free_blocks();
  l.blocks = pool_->capacity();
  l.block_tokens = kv_block_tokens;
  l.cost = predictor_.cost();
  return l;
}

} // namespace troupe
