#include <algorithm>

#include "actors/decode_node.hpp"

namespace troupe {

// -- the line -----------------------------------------------------------------

void decode_state::join_line(seq_id seq) {
  line_.push(seq);
  // With a scheduler, nobody but it lets anyone in where memory is short.
  auto spare = batch_->size() + prefilling_.size();
  if (scheduled_ && line_.size() == line_.planned() + 1
      && blocks_to_start(seq) + spare <= free_blocks() && spare < limits_.rows)
    line_.let_in();
}

// Tokens for which a sequence has blocks when it starts: with a scheduler that
// takes them away again, no more than it needs now; else all that it can ever
// need, so that it never runs out of them on the way.
uint32_t decode_state::room_for(const sequence_spec& spec,
                                size_t tokens) const {
  if (spec.embed)
    return spec.max_length(); // nothing follows
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
  return !scheduled_ || line_.planned() > 0
         || (batch_->size() + prefilling_.size() + incoming_.size()
                 + outgoing_.size()
             == 0);
}

bool decode_state::enter(seq_id seq, time_point now) {
  if (auto i = prompts_.find(seq); i != prompts_.end()) {
    auto& p = i->second;
    if (!index_->admit(p.spec.cache_salt, p.shareable(),
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
    line_.erase(seq);
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

} // namespace troupe
