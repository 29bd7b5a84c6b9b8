#include <algorithm>
#include <limits>

#include "actors/decode_node.hpp"
#include "core/kv/defrag.hpp"

namespace troupe {

// -- what the scheduler sees --------------------------------------------------

void decode_state::learn() {
  auto took = std::exchange(unlearned_, {});
  // Recordings of nodes that keep no tokens are of before it was choosy.
  if (took.count() != 0
      && (!keeps_tokens() || predictor_.wants(shape_, batch_->steps())))
    predictor_.record(shape_, took);
}

step_report decode_state::stepped(duration took, time_point now) {
  unlearned_ = took;
  // First tokens need not wait for it.
  if (chunks_.empty())
    learn();
  if (scheduled_ && measured_.steps.size() < schedule_view::max_steps)
    measured_.steps.push_back({shape_, took.count()});
  auto r = step_report{};
  if (!opts_.slo)
    return r; // nobody reads it
  r.shape = shape_;
  r.took = took.count();
  r.demand.decoding = static_cast<uint32_t>(batch_->size());
  batch_->for_each(
      [&](auto& s) { r.demand.decode_context += s.table.length() + 1; });
  auto oldest = std::numeric_limits<int64_t>::max();
  for (auto& [seq, p] : prompts_) {
    auto left = static_cast<uint32_t>(p.tokens.size()) - p.table.length();
    r.demand.waiting_tokens += left;
    if (p.arrival_ns < oldest) {
      oldest = p.arrival_ns;
      r.demand.oldest_tokens = left;
      r.demand.oldest_wait = now.time_since_epoch() - duration{oldest};
    }
  }
  return r;
}

void decode_state::on(const batch_limits& limits) {
  limits_.rows = std::clamp(limits.rows, 1u, std::max(1u, opts_.max_batch));
  limits_.tokens_beside_rows =
      std::clamp(limits.prefill_tokens, kv_block_tokens,
                 std::max(kv_block_tokens, opts_.prefill_chunk));
}

// Puts blocks side by side in memory, and gives free memory back, so much a
// step. Correctness does not depend on where blocks lie.
void decode_state::tidy() {
  if (trimming_)
    trimming_ = opts_.arena->trim(spare_blocks, trim_bytes) > 0;
  // Other ranks know blocks by where they lie.
  if (opts_.ranks || (!compacting_ && ++since_look_ < compact_every))
    return;
  since_look_ = 0;
  auto tables = std::vector<page_table*>{};
  batch_->for_each([&](auto& s) {
    if (!outgoing_.contains(s.spec.seq))
      tables.push_back(&s.table);
  });
  for (auto seq : prefilling_)
    tables.push_back(&prompts_.at(seq).table);
  auto how = fragmentation(tables, *opts_.arena);
  if (!compacting_ && how.holes() < 0.5)
    return;
  auto did = compact(tables, *opts_.arena, compact_copies);
  compacted_ += did.copies;
  compacting_ = !did.done;
  trimming_ = did.done;
}

schedule_entry decode_state::entry_of(const sequence_spec& spec,
                                      size_t generated,
                                      int64_t arrival_ns) const {
  auto e = schedule_entry{};
  e.seq = spec.seq;
  e.priority = spec.priority;
  e.arrival_ns = arrival_ns;
  e.prompt = static_cast<uint32_t>(spec.prompt.size());
  e.generated = static_cast<uint32_t>(generated);
  // One that is embedded leaves with its prompt.
  e.max_tokens = std::max(spec.max_tokens, 1u);
  e.tokens_to_compute = e.prompt + e.generated;
  return e;
}

void decode_state::look(time_point now) {
  if (!scheduled_ || view_pending_ || !std::exchange(news_, false))
    return;
  auto running = batch_->size() + prefilling_.size();
  // Nothing to decide while everybody who is here will have room for long.
  if (line_.empty() && free_blocks() >= running * calm_blocks)
    return;
  auto& v = out_.view.emplace(std::exchange(measured_, {}));
  view_pending_ = true;
  v.number = ++views_;
  v.now_ns = now.time_since_epoch().count();
  v.capacity = pool_->capacity();
  v.free_blocks = free_blocks();
  v.max_rows = limits_.rows;
  v.block_bytes = pool_->layout().block_bytes();
  v.store = opts_.store != nullptr;
  auto add = [&](schedule_entry e, schedule_phase phase, uint32_t blocks) {
    e.phase = phase;
    e.blocks = blocks;
    v.entries.push_back(e);
  };
  batch_->for_each([&](auto& s) {
    add(entry_of(s.spec, s.generated.size(), s.arrival_ns),
        schedule_phase::running, s.table.blocks());
  });
  for (auto& [seq, o] : outgoing_)
    if (o.stopped) {
      auto& s = *o.stopped;
      auto e = entry_of(s.spec, s.generated.size(), s.arrival_ns);
      e.leaving = true;
      add(e, schedule_phase::moving, s.table.blocks());
    }
  for (auto& [seq, in] : incoming_)
    add(entry_of(in.what.spec, in.what.spec.emitted.size(), in.arrival_ns),
        schedule_phase::moving, in.what.offer.blocks);
  for (auto seq : prefilling_) {
    auto& p = prompts_.at(seq);
    auto e = entry_of(p.spec, p.spec.emitted.size(), p.arrival_ns);
    e.prefilling = true;
    add(e, schedule_phase::running, p.table.blocks());
  }
  for (auto seq : line_) {
    if (v.entries.size() >= max_view)
      break;
    auto e = schedule_entry{};
    auto phase = schedule_phase::waiting;
    if (auto p = prompts_.find(seq); p != prompts_.end()) {
      auto& x = p->second;
      e = entry_of(x.spec, x.spec.emitted.size(), x.arrival_ns);
    } else if (auto o = offers_.find(seq); o != offers_.end()) {
      auto& x = o->second;
      e = entry_of(x.what.spec, x.what.spec.emitted.size(), x.arrival_ns);
      e.tokens_to_compute = 0; // they are computed, elsewhere
    } else if (auto q = parked_.find(seq); q != parked_.end()) {
      auto& x = q->second;
      e = entry_of(x.spec, x.generated.size(), x.arrival_ns);
      phase = schedule_phase::swapped;
    }
    e.blocks_to_start = blocks_to_start(seq);
    add(e, phase, 0);
  }
}

// -- what it wants ------------------------------------------------------------

void decode_state::on(const schedule_plan& plan, time_point now) {
  view_pending_ = stuck_ = false;
  if (!scheduled_ || plan.number != views_)
    return;
  auto waiting = line_.size();
  for (auto& p : plan.preempt)
    preempt(p.seq, p.way, now);
  line_.plan(plan.order);
  admit(now);
  // A plan that changes nothing is no reason to ask for another one.
  news_ = news_ || line_.size() < waiting;
}

void decode_state::without_scheduler(time_point now) {
  stir();
  scheduled_ = view_pending_ = false;
  admit(now);
}

} // namespace troupe
