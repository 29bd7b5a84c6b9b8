#include <algorithm>
#include <limits>

#include "actors/decode_node.hpp"

namespace troupe {

// Whether the next block of `p` is being computed for another prompt of this
// step: then it is worth waiting for.
bool decode_state::comes_anyway(const prompt& p) const {
  auto end = p.table.length() + kv_block_tokens;
  if (opts_.cached_blocks == 0 || p.spec.embed || end >= p.tokens.size())
    return false;
  return std::any_of(chunks_.begin(), chunks_.end(), [&](const chunk& c) {
    auto& q = prompts_.at(c.seq);
    return !q.spec.embed && q.table.length() < end
           && end <= q.table.length() + c.tokens
           && q.spec.cache_salt == p.spec.cache_salt
           && std::equal(p.tokens.begin(), p.tokens.begin() + end,
                         q.tokens.begin());
  });
}

// Chooses chunks of the oldest prompts, and makes rows of them.
void decode_state::plan(step_plan budget, time_point now) {
  chunks_.clear();
  rows_.clear();
  shape_ = {};
  for (auto seq : prefilling_) {
    if (!budget.has_room())
      return;
    auto& p = prompts_.at(seq);
    // Others may have computed more of the same since.
    auto found = index_->share(p.spec.cache_salt, p.shareable(), p.table);
    p.cached += found;
    hit_tokens_ += found;
    if (comes_anyway(p))
      continue;
    if (p.begun_ns == 0)
      p.begun_ns = now.time_since_epoch().count();
    auto done = p.table.length();
    auto left = static_cast<uint32_t>(p.tokens.size()) - done;
    auto n = budget.add_prompt(left);
    p.table.back(done + n);
    auto row = batch_row{};
    row.table = &p.table;
    row.tokens = std::span{p.tokens}.subspan(done, n);
    row.want_logits = n == left && !p.spec.embed;
    row.want_states = p.spec.embed;
    rows_.push_back(row);
    chunks_.push_back({seq, n, n == left});
    shape_.prefill_tokens += n;
    shape_.prefill_context += uint64_t{n} * done + uint64_t{n} * (n + 1) / 2;
  }
}

void decode_state::step(time_point now) {
  learn(); // of the last one, before its shape is forgotten
  plan({limits_, static_cast<uint32_t>(batch_->size())}, now);
  auto done = batch_->step(
      out_.outputs, limits_.rows,
      [this](page_table& table) { return make_room(table); }, rows_);
  shape_.rows = done.rows;
  shape_.decode_context = done.context;
  for (auto& s : done.ended)
    ended(std::move(s));
  auto logits = done.of_chunks ? *done.of_chunks : std::span<const float>{};
  for (auto& c : chunks_) {
    auto& p = prompts_.at(c.seq);
    p.over = c.last || !done.of_chunks;
    if (done.of_chunks)
      finish_chunk(c, logits, done.states);
    else
      out_.outputs.emplace_back(
          p.stream, failed_output(p.spec, done.of_chunks.failure()));
  }
  auto over = [this](seq_id seq) { return prompts_.at(seq).over; };
  while (!prefilling_.empty() && over(prefilling_.front()))
    prefilling_.pop_front();
  if (!prefilling_.empty())
    std::erase_if(prefilling_, over);
  std::erase_if(prompts_, [](auto& p) { return p.second.over; });
  auto progress = done.rows + chunks_.size() > 0;
  news_ = news_ || progress;
  unstick(progress, now);
  tidy();
  admit(now);
}

// What is kept is sent by whatever is handled next, or by a later step. So one
// has to follow, and soon: prompts may take long.
bool decode_state::keeps_outputs(time_point ended, duration took) {
  if (!pace_.keeps_any() || out_.outputs.empty())
    return false;
  auto urgent = !chunks_.empty() || !prefilling_.empty() || !has_step()
                || !out_.only_outputs();
  for (auto i = kept_; i < out_.outputs.size(); ++i) {
    auto& o = out_.outputs[i].second;
    urgent = urgent || o.reason != finish_reason::none
             || o.preempted != put_away::no;
  }
  if (kept_ > 0)
    join_outputs(out_.outputs, kept_);
  kept_ = out_.outputs.size();
  return !urgent && pace_.may_keep(ended, took);
}

// Sequences that hold all blocks and need one more each wait for those that are
// on their way out, or for the scheduler; else the youngest makes way.
void decode_state::unstick(bool progress, time_point now) {
  if (progress || batch_->size() == 0)
    return;
  stuck_ = true;
  auto leaving = std::any_of(outgoing_.begin(), outgoing_.end(), [](auto& o) {
    return o.second.stopped.has_value();
  });
  if (leaving || view_pending_)
    return;
  auto youngest = seq_id{0};
  auto arrival = std::numeric_limits<int64_t>::min();
  batch_->for_each([&](auto& s) {
    if (s.arrival_ns >= arrival) {
      arrival = s.arrival_ns;
      youngest = s.spec.seq;
    }
  });
  preempt(youngest, preempt_way::swap, now);
}

// Takes what the chunk wanted off the front of what all of them wanted.
void decode_state::finish_chunk(const chunk& c, std::span<const float>& logits,
                                std::span<const float>& states) {
  auto& p = prompts_.at(c.seq);
  auto& shape = opts_.weights->params;
  if (p.spec.embed) {
    auto n = size_t{c.tokens} * shape.hidden;
    p.pooled.add(states.first(n), shape.hidden);
    states = states.subspan(n);
    if (!c.last)
      return;
    over_.add(c.seq, p.spec.epoch, true);
    out_.outputs.emplace_back(
        p.stream,
        embedded_output(p.spec, p.pooled.mean(), p.begun_ns - p.arrival_ns));
    return;
  }
  index_->insert(p.spec.cache_salt, p.tokens, p.table);
  if (c.last) {
    first_token(p, logits.first(shape.vocab));
    logits = logits.subspan(shape.vocab);
  }
}

// The prompt is computed: from here on it decodes.
void decode_state::first_token(prompt& p, std::span<const float> logits) {
  auto index = static_cast<uint32_t>(p.spec.emitted.size());
  auto token = sampler_->sample(logits, p.spec, p.spec.emitted);
  if (!token) {
    out_.outputs.emplace_back(p.stream, failed_output(p.spec, token.failure()));
    return;
  }
  auto o = output_of(p.spec, index);
  o.cached_tokens = p.cached;
  o.queue_ns = p.begun_ns - p.arrival_ns;
  append_token(o, p.spec, *token, index);
  auto over = o.reason != finish_reason::none;
  out_.outputs.emplace_back(p.stream, std::move(o));
  auto s = decoding{};
  s.generated = p.spec.emitted;
  s.generated.push_back(token->id);
  s.spec = std::move(p.spec);
  s.table = std::move(p.table);
  s.stream = std::move(p.stream);
  s.arrival_ns = p.arrival_ns;
  if (over)
    ended(std::move(s));
  else
    batch_->join(std::move(s));
}

// What it said may be part of the next prompt.
void decode_state::ended(decoding s) {
  auto seq = s.spec.seq;
  if (auto i = outgoing_.find(seq); i != outgoing_.end())
    drop_outgoing(i, {errc::unknown_sequence, "it ended before it had moved"});
  over_.add(seq, s.spec.epoch, true);
  measured_.add_finished({static_cast<uint32_t>(s.spec.prompt.size()),
                          static_cast<uint32_t>(s.generated.size())});
  auto tokens = std::move(s.spec.prompt);
  tokens.insert(tokens.end(), s.generated.begin(), s.generated.end());
  index_->insert(s.spec.cache_salt, tokens, s.table);
}

} // namespace troupe
