#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/prefill_node.hpp"

namespace troupe {

// -- compute ------------------------------------------------------------------

bool prefill_state::has_step() const {
  return next() != nullptr;
}

const seq_id* prefill_state::next() const {
  if (queue_.empty())
    return nullptr;
  auto has_blocks = [this](seq_id seq) {
    return jobs_.at(seq).table.blocks() > 0;
  };
  auto& first = queue_.front();
  auto tokens = static_cast<uint32_t>(jobs_.at(first).tokens.size());
  auto need = kv_layout::blocks_for(tokens);
  if (has_blocks(first) || need <= pool_->available()
      || need <= pool_->available() + index_->reclaimable())
    return &first;
  // The first may wait for the blocks of one that it overtook.
  auto i = std::find_if(queue_.begin(), queue_.end(), has_blocks);
  return i != queue_.end() ? &*i : nullptr;
}

void prefill_state::start(job& j, time_point now) {
  auto& spec = j.what.spec;
  auto offer =
      offer_of(spec, spec.epoch, static_cast<uint32_t>(j.tokens.size()),
               pool_->layout(), opts_.weights->digest);
  j.sender.emplace(std::move(offer), opts_.timing);
  auto box = kv_outbox{};
  j.sender->start(now, box);
  send(j, std::move(box));
}

void prefill_state::push(job& j, uint32_t first_block, uint32_t blocks,
                         uint32_t first_layer, uint32_t layers,
                         time_point now) {
  if (!j.sender)
    return;
  auto box = kv_outbox{};
  j.sender->push(j.table, first_block, blocks, first_layer, layers, now, box);
  send(j, std::move(box));
}

// Evenly, so that the last push is no crumb.
uint32_t prefill_state::layers_at_once(uint32_t blocks) const {
  auto& layout = pool_->layout();
  auto pushes = std::clamp<size_t>(blocks * layout.block_bytes()
                                       / std::max<size_t>(1, opts_.push_bytes),
                                   1, layout.layers);
  return static_cast<uint32_t>((layout.layers + pushes - 1) / pushes);
}

// Blocks for all of the prompt, and what is known of it already. Of one that is
// embedded every state is wanted, so all of it is computed.
bool prefill_state::take_blocks(job& j, time_point now) {
  auto& spec = j.what.spec;
  auto known = spec.embed ? std::span<const token_id>{} : std::span{j.tokens};
  if (j.table.blocks() > 0) {
    // Others may have computed more of the same since.
    index_->share(spec.cache_salt, known, j.table);
    return true;
  }
  auto total = static_cast<uint32_t>(j.tokens.size());
  if (!index_->admit(spec.cache_salt, known, total, *pool_, j.table))
    return false;
  j.begun = now;
  if (!spec.embed)
    start(j, now);
  return true;
}

void prefill_state::begin_step(time_point now) {
  auto* who = next();
  if (chunk_ || who == nullptr)
    return;
  auto seq = *who;
  auto& j = jobs_.at(seq);
  auto total = static_cast<uint32_t>(j.tokens.size());
  auto computed = j.table.length();
  if (!take_blocks(j, now))
    return;
  auto found = j.table.length() - computed;
  push(j, computed / kv_block_tokens, found / kv_block_tokens, 0,
       pool_->layout().layers, now);
  j.cached += found;
  hit_tokens_ += found;
  auto c = chunk{};
  c.seq = seq;
  c.first = j.table.length();
  c.count = std::min(opts_.prefill_chunk, total - c.first);
  c.last = c.first + c.count == total;
  c.at_once = layers_at_once(kv_layout::blocks_for(c.count));
  j.table.back(c.first + c.count);
  auto row = batch_row{};
  row.table = &j.table;
  row.tokens = std::span{j.tokens}.subspan(c.first, c.count);
  row.want_logits = c.last && !j.what.spec.embed;
  row.want_states = j.what.spec.embed;
  if (auto ok = (*engine_)->begin({&row, 1}); !ok)
    return fail_and_drop(seq, ok.failure());
  chunk_ = c;
}

void prefill_state::compute() {
  if (!chunk_)
    return;
  // The logits on their own: the last layers are on their way meanwhile.
  if (auto layers = (*engine_)->advance(chunk_->at_once))
    chunk_->computed += layers;
  else
    chunk_->logits = (*engine_)->finish();
}

void prefill_state::end_step(time_point began, time_point now) {
  if (!chunk_)
    return;
  chunk_->took += now - began;
  auto& j = jobs_.at(chunk_->seq);
  // Chunks end at block boundaries but for the last, so what is pushed here
  // is never written again.
  auto first = chunk_->first / kv_block_tokens;
  auto end = kv_layout::blocks_for(chunk_->first + chunk_->count);
  push(j, first, end - first, chunk_->pushed, chunk_->computed - chunk_->pushed,
       now);
  chunk_->pushed = chunk_->computed;
  if (!chunk_->logits)
    return;
  ++steps_;
  auto c = *std::exchange(chunk_, std::nullopt);
  auto context =
      uint64_t{c.count} * c.first + uint64_t{c.count} * (c.count + 1) / 2;
  predictor_.record({c.count, context, 0, 0}, c.took);
  if (j.what.spec.embed)
    return pool_chunk(j, c);
  index_->insert(j.what.spec.cache_salt, j.tokens, j.table);
  if (c.last) {
    std::erase(queue_, c.seq);
    finish_prefill(j, *c.logits, now);
  }
}

void prefill_state::pool_chunk(job& j, const chunk& c) {
  j.pooled.add((*engine_)->states(), opts_.weights->params.hidden);
  if (!c.last)
    return;
  out_.outputs.emplace_back(
      j.what.stream, embedded_output(j.what.spec, j.pooled.mean(),
                                     duration{j.begun - j.arrived}.count()));
  erase(jobs_.find(c.seq));
}

void prefill_state::finish_prefill(job& j, std::span<const float> logits,
                                   time_point now) {
  auto& spec = j.what.spec;
  auto index = static_cast<uint32_t>(spec.emitted.size());
  auto token = sampler_->sample(logits, spec, spec.emitted);
  if (!token)
    return fail_and_drop(spec.seq, token.failure());
  auto o = output_of(spec, index);
  o.cached_tokens = j.cached;
  o.queue_ns = duration{j.begun - j.arrived}.count();
  append_token(o, spec, *token, index);
  auto over = o.reason != finish_reason::none;
  out_.outputs.emplace_back(j.what.stream, std::move(o));
  if (over) {
    drop(jobs_.find(spec.seq), errc::cancelled, "ended with its first token");
    return;
  }
  auto emitted = spec.emitted;
  emitted.push_back(token->id);
  auto box = kv_outbox{};
  j.sender->finish(j.table.length(), std::move(emitted), now, box);
  send(j, std::move(box));
}

node_status prefill_state::status(const status_query& q) const {
  auto s = node_status{};
  s.node = opts_.id;
  s.role = node_role::prefill;
  s.sequences = static_cast<uint32_t>(jobs_.size());
  s.waiting = static_cast<uint32_t>(queue_.size());
  s.cached_blocks = index_->reclaimable();
  s.blocks_in_use = pool_->in_use() - s.cached_blocks;
  s.blocks_total = pool_->capacity();
  s.steps = steps_;
  s.largest_batch = steps_ > 0 ? 1 : 0;
  s.hit_tokens = hit_tokens_;
  if (q.detail == 0)
    return s;
  auto m = kv_map{*opts_.arena};
  for (auto& [seq, j] : jobs_)
    m.add(j.what.spec.request, j.table);
  m.add(*index_);
  s.map = m.runs(node_status::max_runs);
  return s;
}

node_load prefill_state::load() const {
  auto l = node_load{};
  for (auto seq : queue_) {
    auto& j = jobs_.at(seq);
    l.prompt_tokens += j.tokens.size() - j.table.length();
  }
  l.free_blocks = pool_->available() + index_->reclaimable();
  l.blocks = pool_->capacity();
  l.block_tokens = kv_block_tokens;
  l.cost = predictor_.cost();
  return l;
}

} // namespace troupe
