// What the states of actors tell of themselves.

#include "actors/batch_controller.hpp"
#include "actors/decode_node.hpp"
#include "actors/embedder.hpp"
#include "actors/gateway.hpp"
#include "actors/kv_store.hpp"
#include "actors/preempt_scheduler.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "actors/session.hpp"
#include "core/trace/state_writer.hpp"

namespace troupe {

namespace {

std::string_view name_of(node_role r) {
  return r == node_role::prefill  ? "prefill"
         : r == node_role::decode ? "decode"
         : r == node_role::mixed  ? "mixed"
                                  : "store";
}

template <class Map>
auto keys_of(const Map& m) {
  auto keys = std::vector<typename Map::key_type>{};
  for (auto& [key, value] : m)
    keys.push_back(key);
  return keys;
}

} // namespace

void session_state::tell(state_writer& w) const {
  if (!task_)
    return; // it has not begun
  w.put("request", asked().request);
  w.put("seq", spec().seq);
  w.put("epoch", spec().epoch);
  w.put("prompt_tokens", spec().prompt.size());
  w.put("placements", placements());
  w.put("placed", where_.has_value());
  if (where_) {
    w.put("prefill_node", where_->prefill_id);
    w.put("decode_node", where_->decode_id);
  }
  if (holder_)
    w.put("moved_to", place_.held_by());
  w.put("decoding", place_.decoding());
  w.numbers("tokens", answer_.ready());
  w.put("delivered", answer_.delivered());
  w.put("finished", finished_);
  if (last_error())
    w.put("last_error", last_error().message);
}

void embedder_state::tell(state_writer& w) const {
  w.put("request", request_.request);
  w.put("inputs", inputs_.size());
  w.put("left", left_);
  w.put("under_way", under_way_);
  w.put("finished", finished_);
}

void gateway_state::tell(state_writer& w) const {
  w.put("next_seq", next_seq_);
  w.numbers("requests", keys_of(sessions_));
  w.numbers("embeddings", keys_of(embedders_));
}

void node_book::tell(state_writer& w) const {
  auto guard = std::lock_guard{mutex_};
  w.objects("members", members_, [](state_writer& m, auto& x) {
    auto& e = x.second;
    m.put("node", e.node);
    m.put("role", name_of(e.role));
    m.put("version", e.version);
    m.put("leaving", e.leaving);
    m.put("suspended", e.suspended);
  });
  w.put("requests", router_.requests());
}

void prefill_state::tell(state_writer& w) const {
  w.put("node", opts_.id);
  w.put("free_blocks", pool_ ? pool_->available() : 0);
  w.objects("jobs", jobs_, [](state_writer& j, auto& x) {
    auto& [seq, job] = x;
    j.put("seq", seq);
    j.put("request", job.what.spec.request);
    j.put("epoch", job.what.spec.epoch);
    j.put("tokens", job.tokens.size());
    j.put("computed", job.table.length());
    j.put("cached", job.cached);
  });
  w.numbers("queue", queue_);
  if (chunk_) {
    w.put("chunk_of", chunk_->seq);
    w.put("layers_computed", chunk_->computed);
  }
  w.put("draining", draining_);
}

void decode_state::tell(state_writer& w) const {
  w.put("node", opts_.id);
  w.put("role", name_of(opts_.role));
  w.put("free_blocks", pool_ ? pool_->available() : 0);
  w.put("steps", batch_ ? batch_->steps() : 0);
  auto running = std::vector<const decoding*>{};
  if (batch_)
    batch_->for_each([&](const decoding& s) { running.push_back(&s); });
  w.objects("batch", running, [](state_writer& r, const decoding* s) {
    r.put("seq", s->spec.seq);
    r.put("request", s->spec.request);
    r.put("epoch", s->spec.epoch);
    r.put("generated", s->generated.size());
    r.put("kv_tokens", s->table.length());
  });
  w.numbers("line", line_);
  w.numbers("prefilling", prefilling_);
  w.numbers("prompts", keys_of(prompts_));
  w.numbers("offers", keys_of(offers_));
  w.numbers("parked", keys_of(parked_));
  w.numbers("incoming", keys_of(incoming_));
  w.numbers("outgoing", keys_of(outgoing_));
  w.put("swaps", swaps_);
  w.put("recomputes", recomputes_);
  w.put("draining", draining_);
}

void kv_store_state::tell(state_writer& w) const {
  w.numbers("stored", keys_of(entries_));
  w.numbers("incoming", keys_of(incoming_));
  w.put("outgoing", outgoing_);
  w.put("refused", refused_);
}

void preempt_scheduler_state::tell(state_writer& w) const {
  w.put("view", newest_.number);
  w.put("sequences", newest_.entries.size());
  w.put("free_blocks", newest_.free_blocks);
  w.put("owes_plan", told_);
}

void batch_control_state::tell(state_writer& w) const {
  w.put("rows", told_.rows);
  w.put("prefill_tokens", told_.prefill_tokens);
}

} // namespace troupe
