#include <algorithm>

#include "actors/check_spec.hpp"
#include "actors/prefill_node.hpp"

namespace troupe {

namespace {

// A new prompt lets this many of those that go on before it.
constexpr auto most_overtaken = uint32_t{64};

} // namespace

// -- jobs ---------------------------------------------------------------------

void prefill_state::init(node_options opts) {
  opts_ = std::move(opts);
  // Whole blocks: what one chunk wrote, the next must not touch.
  opts_.prefill_chunk =
      std::max(opts_.prefill_chunk / kv_block_tokens, 1u) * kv_block_tokens;
  engine_.emplace(opts_, opts_.prefill_chunk);
  pool_.emplace(opts_.arena, opts_.blocks);
  index_.emplace(opts_.cached_blocks);
  sampler_.emplace(opts_.weights);
}

prefill_state::effects prefill_state::take_effects() {
  if (jobs_.empty())
    out_.empty = std::exchange(drained_, {});
  return std::exchange(out_, {});
}

void prefill_state::drain() {
  draining_ = true;
  drained_.emplace().node = opts_.id;
}

void prefill_state::submit(prefill_job what, time_point now) {
  if (!what.stream)
    return;
  if (draining_)
    return fail(what, {errc::no_node, "the node is being drained"});
  if (!what.decode && !what.spec.embed)
    return fail(what, {errc::invalid_argument, "a job without a decode node"});
  auto seq = what.spec.seq;
  // A newer life of the sequence replaces an older one, never the reverse.
  if (auto i = jobs_.find(seq); i != jobs_.end()) {
    if (i->second.what.spec.epoch >= what.spec.epoch)
      return;
    drop(i, errc::stale_epoch, "the sequence was placed again");
  }
  if (auto ok = check(what.spec, opts_.weights->params); !ok)
    return fail(what, ok.failure());
  auto tokens = what.spec.prompt;
  tokens.insert(tokens.end(), what.spec.emitted.begin(),
                what.spec.emitted.end());
  auto need = kv_layout::blocks_for(static_cast<uint32_t>(tokens.size()));
  if (need > pool_->capacity())
    return fail(
        what, {errc::no_free_blocks, "the prompt needs " + std::to_string(need)
                                         + " KV blocks; this prefill node has "
                                         + std::to_string(pool_->capacity())});
  auto& j = jobs_[seq];
  j.arrived = now;
  j.what = std::move(what);
  j.tokens = std::move(tokens);
  enqueue(seq, j);
}

void prefill_state::enqueue(seq_id seq, job& j) {
  auto at = queue_.end();
  if (!j.what.spec.emitted.empty())
    while (at != queue_.begin()) {
      auto& before = jobs_.at(*std::prev(at));
      if (!before.what.spec.emitted.empty()
          || before.overtaken >= most_overtaken)
        break;
      --at;
      ++before.overtaken;
    }
  queue_.insert(at, seq);
}

void prefill_state::cancel(const cancel_sequence& m) {
  auto i = jobs_.find(m.seq);
  if (i != jobs_.end() && i->second.what.spec.epoch <= m.epoch)
    drop(i, errc::cancelled, "the request was cancelled");
}

void prefill_state::drop(job_map::iterator i, errc code,
                         const std::string& reason) {
  auto& j = i->second;
  if (j.sender) {
    auto box = kv_outbox{};
    j.sender->abort(code, reason, box);
    send(j, std::move(box));
  }
  erase(i);
}

void prefill_state::erase(job_map::iterator i) {
  // The engine never looks again at a step that it isn't asked to go on with.
  if (chunk_ && chunk_->seq == i->first)
    chunk_.reset();
  std::erase(queue_, i->first);
  jobs_.erase(i);
}

void prefill_state::fail(const prefill_job& j, const error& e) {
  out_.outputs.emplace_back(j.stream, failed_output(j.spec, e));
}

void prefill_state::fail_and_drop(seq_id seq, const error& e) {
  auto i = jobs_.find(seq);
  fail(i->second.what, e);
  drop(i, e.code, e.message);
}

// -- handoff ------------------------------------------------------------------

prefill_state::job* prefill_state::find(seq_id seq, epoch_t epoch) {
  auto i = jobs_.find(seq);
  return i != jobs_.end() && i->second.what.spec.epoch == epoch
                 && i->second.sender
             ? &i->second
             : nullptr;
}

void prefill_state::send(job& j, kv_outbox box) {
  auto& spec = j.what.spec;
  for (auto& m : box) {
    if (std::holds_alternative<kv_offer>(m)) {
      out_.specs[spec.seq] = spec;
      out_.streams[spec.seq] = j.what.stream;
    }
    out_.to_decode.emplace_back(j.what.decode, std::move(m));
  }
}

// Frees a job whose handoff is over.
void prefill_state::settle(seq_id seq) {
  auto i = jobs_.find(seq);
  if (i == jobs_.end() || !i->second.sender)
    return;
  auto& sender = *i->second.sender;
  if (sender.failed())
    fail(i->second.what, sender.failure());
  if (sender.failed() || sender.done())
    erase(i);
}

void prefill_state::on(const kv_grant& m, const kv_destination_actor& from,
                       time_point now) {
  if (auto* j = find(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    j->sender->on(m, now, box);
    send(*j, std::move(box));
  } else if (from) {
    // Blocks are kept for nobody there.
    out_.to_decode.emplace_back(
        from, kv_abort{m.seq, m.epoch, errc::unknown_sequence,
                       "no such handoff on this prefill node"});
  }
}

void prefill_state::on(const kv_credit& m, time_point now) {
  if (auto* j = find(m.seq, m.epoch)) {
    auto box = kv_outbox{};
    j->sender->on(m, now, box);
    send(*j, std::move(box));
  }
}

void prefill_state::on(const kv_accepted& m) {
  if (auto* j = find(m.seq, m.epoch)) {
    j->sender->on(m);
    settle(m.seq);
  }
}

void prefill_state::on(const kv_abort& m) {
  if (auto* j = find(m.seq, m.epoch)) {
    j->sender->on(m);
    settle(m.seq);
  }
}

void prefill_state::tick(time_point now) {
  auto seqs = std::vector<seq_id>{};
  for (auto& [seq, j] : jobs_)
    if (j.sender) {
      auto box = kv_outbox{};
      j.sender->tick(now, box);
      send(j, std::move(box));
      seqs.push_back(seq);
    }
  for (auto seq : seqs)
    settle(seq);
}

void prefill_state::peer_down(const caf::actor_addr& peer) {
  auto lost = std::vector<seq_id>{};
  auto unread = std::vector<seq_id>{};
  for (auto& [seq, j] : jobs_)
    if (j.what.stream == peer)
      unread.push_back(seq);
    else if (j.what.decode == peer)
      lost.push_back(seq);
  for (auto seq : lost)
    fail_and_drop(seq, {errc::abandoned, "the decode node is gone"});
  for (auto seq : unread)
    drop(jobs_.find(seq), errc::abandoned, "nobody is left to read the answer");
}

} // namespace troupe
