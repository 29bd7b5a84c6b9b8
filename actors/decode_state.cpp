#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/decode_node.hpp"

namespace troupe {

void decode_state::init(node_options opts) {
  opts_ = std::move(opts);
  scheduled_ = opts_.preempt;
  limits_.rows = std::max(1u, opts_.max_batch);
  limits_.tokens = opts_.prefill_chunk;
  limits_.tokens_beside_rows = opts_.prefill_chunk;
  // Whole blocks: what one chunk filled, others may share.
  limits_.granularity = kv_block_tokens;
  pool_.emplace(opts_.arena, opts_.blocks);
  index_.emplace(opts_.cached_blocks);
  batch_.emplace(opts_, limits_.most_tokens());
}

decode_state::effects decode_state::take_effects() {
  stuck_ = stuck_ && batch_->size() > 0;
  if (draining_ && drained_.node != 0
      && batch_->size() + prompts_.size() + offers_.size() + parked_.size()
                 + incoming_.size() + outgoing_.size()
             == 0)
    out_.empty = std::exchange(drained_, {});
  return std::exchange(out_, {});
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
    see(i->second.sender.offer().epoch);
  return e;
}

void decode_state::submit(prefill_job what, time_point now) {
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

decode_state::prompt& decode_state::enqueue(prompt p) {
  auto seq = p.spec.seq;
  p.tokens = p.spec.prompt;
  p.tokens.insert(p.tokens.end(), p.spec.emitted.begin(), p.spec.emitted.end());
  auto i = prompts_.insert_or_assign(seq, std::move(p)).first;
  join_line(seq);
  return i->second;
}

// -- the line -----------------------------------------------------------------

void decode_state::join_line(seq_id seq) {
  line_.push_back(seq);
  // With a scheduler, nobody but it lets anyone in where memory is short.
  auto spare = batch_->size() + prefilling_.size();
  if (scheduled_ && line_.size() == planned_ + 1
      && blocks_to_start(seq) + spare <= free_blocks() && spare < limits_.rows)
    ++planned_;
}

void decode_state::leave_line(seq_id seq) {
  auto i = std::find(line_.begin(), line_.end(), seq);
  if (i == line_.end())
    return;
  if (static_cast<size_t>(i - line_.begin()) < planned_)
    --planned_;
  line_.erase(i);
}

// Tokens for which a sequence has blocks when it starts: with a scheduler that
// takes them away again, no more than it needs now; else all that it can ever
// need, so that it never runs out of them on the way.
uint32_t decode_state::room_for(const sequence_spec& spec,
                                size_t tokens) const {
  return opts_.preempt ? static_cast<uint32_t>(tokens) + 1 : spec.max_length();
}

uint32_t decode_state::blocks_to_start(seq_id seq) const {
  if (auto i = prompts_.find(seq); i != prompts_.end())
    return kv_layout::blocks_for(
        room_for(i->second.spec, i->second.tokens.size()));
  if (auto i = offers_.find(seq); i != offers_.end()) {
    auto& spec = i->second.what.spec;
    return kv_layout::blocks_for(
        room_for(spec, spec.prompt.size() + spec.emitted.size()));
  }
  if (auto i = parked_.find(seq); i != parked_.end())
    return kv_layout::blocks_for(
        room_for(i->second.spec,
                 i->second.spec.prompt.size() + i->second.generated.size()));
  return 0;
}

uint32_t decode_state::free_blocks() const {
  return pool_->available() + index_->reclaimable();
}

bool decode_state::may_enter() const {
  return !scheduled_ || planned_ > 0
         || (batch_->size() + prefilling_.size() + incoming_.size()
                 + outgoing_.size()
             == 0);
}

bool decode_state::enter(seq_id seq, time_point now) {
  if (auto i = prompts_.find(seq); i != prompts_.end()) {
    auto& p = i->second;
    if (!index_->admit(p.spec.cache_salt, p.tokens,
                       room_for(p.spec, p.tokens.size()), *pool_, p.table))
      return false;
    p.cached = p.table.length();
    hit_tokens_ += p.cached;
    prefilling_.push_back(seq);
    return true;
  }
  if (auto i = offers_.find(seq); i != offers_.end()) {
    if (!open(i->second.what, i->second.arrival_ns, now))
      return false;
    offers_.erase(seq);
    return true;
  }
  if (auto i = parked_.find(seq); i != parked_.end()) {
    if (blocks_to_start(seq) > free_blocks())
      return false;
    i->second.fetching = true;
    i->second.asked = now;
    ++i->second.fetches;
    out_.fetches.push_back({seq, i->second.spec.epoch, {}});
  }
  return true;
}

void decode_state::admit(time_point now) {
  while (!line_.empty() && may_enter()) {
    auto seq = line_.front();
    if (!enter(seq, now))
      return;
    leave_line(seq);
  }
}

// One more token, if the pool has a block for it.
bool decode_state::make_room(page_table& table) {
  auto tokens = table.length() + 1;
  if (!table.reserve(*pool_, tokens)
      && (index_->evict(1) == 0 || !table.reserve(*pool_, tokens)))
    return false;
  table.back(tokens);
  return true;
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
      i != outgoing_.end()
      && i->second.sender.offer().epoch <= next_move(epoch))
    drop_outgoing(i, gone);
  if (erased)
    leave_line(seq);
  batch_->erase_if(
      [&](auto& s) { return s.spec.seq == seq && s.spec.epoch <= epoch; });
}

void decode_state::cancel(const cancel_sequence& m, time_point now) {
  stuck_ = false;
  over_.add(m.seq, m.epoch, false);
  forget(m.seq, m.epoch);
  admit(now);
}

void decode_state::peer_down(const caf::actor_addr& peer, time_point now) {
  stuck_ = false;
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
    leave_line(seq);
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

node_status decode_state::status() const {
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
  return s;
}

} // namespace troupe
