#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/mixed_node.hpp"

namespace troupe {

void mixed_state::init(node_options opts) {
  opts_ = std::move(opts);
  limits_.rows = opts_.max_batch;
  limits_.tokens = opts_.prefill_chunk;
  limits_.tokens_beside_rows = opts_.prefill_chunk;
  // Whole blocks: what one chunk filled, others may share.
  limits_.granularity = kv_block_tokens;
  pool_.emplace(opts_.arena, opts_.blocks);
  index_.emplace(opts_.cached_blocks);
  batch_.emplace(opts_, limits_.most_tokens());
}

// -- admission ----------------------------------------------------------------

result<void> mixed_state::accept(const sequence_spec& spec) const {
  if (auto ok = check(spec, opts_.weights->params); !ok)
    return ok.failure();
  auto need = kv_layout::blocks_for(spec.max_length());
  if (need > pool_->capacity())
    return fail(errc::no_free_blocks, "prompt and answer need "
                                          + std::to_string(need)
                                          + " KV blocks; this node has "
                                          + std::to_string(pool_->capacity()));
  if (prompts_.size() - admitted_ >= max_waiting)
    return fail(errc::overloaded, "too many sequences wait for blocks");
  return {};
}

void mixed_state::submit(prefill_job what) {
  if (!what.stream)
    return;
  auto seq = what.spec.seq;
  auto epoch = what.spec.epoch;
  auto newer = [&](auto& s) {
    return s.spec.seq == seq && s.spec.epoch >= epoch;
  };
  auto* running = batch_->find(seq);
  if ((running != nullptr && newer(*running))
      || std::any_of(prompts_.begin(), prompts_.end(), newer))
    return;
  // A newer life of the sequence replaces an older one.
  cancel({seq, epoch});
  if (auto ok = accept(what.spec); !ok) {
    out_.emplace_back(what.stream, failed_output(what.spec, ok.failure()));
    return;
  }
  auto& p = prompts_.emplace_back();
  p.spec = std::move(what.spec);
  p.stream = std::move(what.stream);
  p.tokens = p.spec.prompt;
  p.tokens.insert(p.tokens.end(), p.spec.emitted.begin(), p.spec.emitted.end());
  admit();
}

// Gives blocks to those who wait, in order: all they can ever need, so that
// nobody runs out of them on the way.
void mixed_state::admit() {
  for (; admitted_ < prompts_.size(); ++admitted_) {
    auto& p = prompts_[admitted_];
    if (!index_->admit(p.spec.cache_salt, p.tokens, p.spec.max_length(), *pool_,
                       p.table))
      return;
    p.cached = p.table.length();
    hit_tokens_ += p.cached;
  }
}

template <class Predicate>
void mixed_state::erase_if(Predicate gone) {
  auto end = prompts_.begin() + static_cast<ptrdiff_t>(admitted_);
  admitted_ -= static_cast<size_t>(std::count_if(prompts_.begin(), end, gone));
  std::erase_if(prompts_, gone);
}

void mixed_state::cancel(const cancel_sequence& m) {
  auto gone = [&](auto& s) {
    return s.spec.seq == m.seq && s.spec.epoch <= m.epoch;
  };
  erase_if(gone);
  batch_->erase_if(gone);
  admit();
}

void mixed_state::peer_down(const caf::actor_addr& peer) {
  // Nobody is left to read these.
  auto unread = [&](auto& s) { return s.stream == peer; };
  erase_if(unread);
  batch_->erase_if(unread);
  admit();
}

// -- compute ------------------------------------------------------------------

// Whether the next block of `p` is being computed for another prompt of this
// step: then it is worth waiting for.
bool mixed_state::comes_anyway(const prompt& p) const {
  auto end = p.table.length() + kv_block_tokens;
  if (opts_.cached_blocks == 0 || end >= p.tokens.size())
    return false;
  return std::any_of(chunks_.begin(), chunks_.end(), [&](const chunk& c) {
    auto& q = prompts_[c.index];
    return q.table.length() < end && end <= q.table.length() + c.tokens
           && q.spec.cache_salt == p.spec.cache_salt
           && std::equal(p.tokens.begin(), p.tokens.begin() + end,
                         q.tokens.begin());
  });
}

// Chooses chunks of the oldest prompts, and makes rows of them.
void mixed_state::plan(step_plan budget) {
  chunks_.clear();
  rows_.clear();
  for (size_t i = 0; i < admitted_ && budget.has_room(); ++i) {
    auto& p = prompts_[i];
    // Others may have computed more of the same since.
    auto found = index_->share(p.spec.cache_salt, p.tokens, p.table);
    p.cached += found;
    hit_tokens_ += found;
    if (comes_anyway(p))
      continue;
    auto done = p.table.length();
    auto left = static_cast<uint32_t>(p.tokens.size()) - done;
    auto n = budget.add_prompt(left);
    p.table.back(done + n);
    auto row = batch_row{};
    row.table = &p.table;
    row.tokens = std::span{p.tokens}.subspan(done, n);
    row.want_logits = n == left;
    rows_.push_back(row);
    chunks_.push_back({i, n});
  }
}

void mixed_state::step() {
  plan({limits_, static_cast<uint32_t>(batch_->size())});
  auto done = batch_->step(out_, rows_);
  for (auto& s : done.ended)
    keep(std::move(s));
  auto left = done.of_chunks ? *done.of_chunks : std::span<const float>{};
  for (size_t i = 0; i < chunks_.size(); ++i) {
    auto& p = prompts_[chunks_[i].index];
    p.over = rows_[i].want_logits || !done.of_chunks;
    if (!done.of_chunks) {
      out_.emplace_back(p.stream,
                        failed_output(p.spec, done.of_chunks.failure()));
      continue;
    }
    index_->insert(p.spec.cache_salt, p.tokens, p.table);
    if (rows_[i].want_logits) {
      auto vocab = opts_.weights->params.vocab;
      first_token(p, left.first(vocab));
      left = left.subspan(vocab);
    }
  }
  erase_if([](const prompt& p) { return p.over; });
  admit();
}

// The prompt is computed: from here on it decodes.
void mixed_state::first_token(prompt& p, std::span<const float> logits) {
  auto index = static_cast<uint32_t>(p.spec.emitted.size());
  auto token = sampler_.sample(logits, p.spec.prompt, p.spec.emitted, index,
                               p.spec.sampling);
  if (!token) {
    out_.emplace_back(p.stream, failed_output(p.spec, token.failure()));
    return;
  }
  auto o = output_of(p.spec, index);
  o.cached_tokens = p.cached;
  append_token(o, p.spec, *token, index);
  auto over = o.reason != finish_reason::none;
  out_.emplace_back(p.stream, std::move(o));
  if (over)
    return;
  auto s = decoding{};
  s.generated = p.spec.emitted;
  s.generated.push_back(token->id);
  s.spec = std::move(p.spec);
  s.table = std::move(p.table);
  s.stream = std::move(p.stream);
  batch_->join(std::move(s));
}

// What it said may be part of the next prompt.
void mixed_state::keep(decoding s) {
  auto tokens = std::move(s.spec.prompt);
  tokens.insert(tokens.end(), s.generated.begin(), s.generated.end());
  index_->insert(s.spec.cache_salt, tokens, s.table);
}

node_status mixed_state::status() const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::mixed;
  s.sequences = static_cast<uint32_t>(batch_->size() + prompts_.size());
  s.waiting = static_cast<uint32_t>(prompts_.size());
  s.cached_blocks = index_->reclaimable();
  s.blocks_in_use = pool_->in_use() - s.cached_blocks;
  s.blocks_total = pool_->capacity();
  s.steps = batch_->steps();
  s.largest_batch = batch_->largest();
  s.hit_tokens = hit_tokens_;
  return s;
}

} // namespace troupe
