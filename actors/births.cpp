#include "actors/births.hpp"

namespace troupe {

namespace {

using std::chrono::milliseconds;

template <class Birth>
void set_timing(Birth& b, const handoff_timing& t) {
  b.resend_ns = t.resend.count();
  b.lease_ns = t.lease.count();
  b.compute_lease_ns = t.compute_lease.count();
}

template <class Birth>
handoff_timing timing_of(const Birth& b) {
  return {duration{b.resend_ns}, duration{b.lease_ns},
          duration{b.compute_lease_ns}};
}

} // namespace

session_settings settings_of(const session_options& o) {
  auto s = session_settings{};
  s.patience_ms = o.patience.count();
  s.max_placements = o.max_placements;
  s.backoff_ms = o.backoff.count();
  s.node_patience_ms = o.node_patience.count();
  s.node_retry_ms = o.node_retry.count();
  s.limited = o.limits != nullptr;
  s.prefix_cache = o.prefix_cache;
  s.versions = o.versions;
  s.cache = o.cache;
  s.profiler = o.profiler;
  if (o.audit)
    s.audit = o.audit->log;
  return s;
}

session_options options_of(const session_settings& s) {
  auto o = session_options{};
  o.patience = milliseconds{s.patience_ms};
  o.max_placements = s.max_placements;
  o.backoff = milliseconds{s.backoff_ms};
  o.node_patience = milliseconds{s.node_patience_ms};
  o.node_retry = milliseconds{s.node_retry_ms};
  if (s.limited)
    o.limits = std::make_shared<rate_limiter>(limits_table{}, time_point{});
  o.prefix_cache = s.prefix_cache;
  o.versions = s.versions;
  o.cache = s.cache;
  o.profiler = s.profiler;
  // The salt is secret: a replay's digests are others.
  if (s.audit)
    o.audit = std::make_shared<audit_sink>(
        audit_sink{s.audit, audit::redactor{{}}, false, {}});
  return o;
}

session_birth birth_of(const session_task& t) {
  return {t.gateway,
          t.registry,
          t.client,
          t.request,
          t.spec,
          t.text != nullptr,
          settings_of(*t.options)};
}

std::unique_ptr<session_task> task_of(const session_birth& b,
                                      std::shared_ptr<const tokenizer> text) {
  auto o = std::make_shared<const session_options>(options_of(b.settings));
  return std::unique_ptr<session_task>{
      new session_task{b.gateway, b.registry, b.client, b.request, b.spec,
                       std::move(text), std::move(o)}};
}

gateway_birth birth_of(const gateway_options& o) {
  return {o.registry,     o.vocab,           o.context,
          o.end_tokens,   o.text != nullptr, settings_of(o.session),
          o.max_sessions, o.first_id};
}

gateway_options options_of(const gateway_birth& b) {
  auto o = gateway_options{};
  o.registry = b.registry;
  o.vocab = b.vocab;
  o.context = b.context;
  o.end_tokens = b.end_tokens;
  o.session = options_of(b.settings);
  o.max_sessions = b.max_sessions;
  o.first_id = b.first_id;
  return o;
}

registry_birth birth_of(const registry_options& opts) {
  auto b = registry_birth{};
  b.patience_ms = opts.patience.count();
  auto& o = opts.cluster;
  if (!o)
    return b;
  b.cluster = true;
  b.model = o->cluster.model;
  b.layout = o->cluster.layout;
  b.isa = o->cluster.isa;
  b.version = o->version;
  b.life = o->life;
  b.interval_ns = o->interval.count();
  b.suspect_ns = o->suspect_after.count();
  b.timeout_ns = o->timeout.count();
  b.max_nodes = o->max_nodes;
  return b;
}

registry_options options_of(const registry_birth& b) {
  auto opts = registry_options{milliseconds{b.patience_ms}};
  if (!b.cluster)
    return opts;
  auto& o = opts.cluster.emplace();
  o.cluster = {b.model, b.layout, b.isa};
  o.version = b.version;
  o.life = b.life;
  o.interval = duration{b.interval_ns};
  o.suspect_after = duration{b.suspect_ns};
  o.timeout = duration{b.timeout_ns};
  o.max_nodes = b.max_nodes;
  return opts;
}

node_birth birth_of(const node_options& o) {
  auto b = node_birth{};
  b.id = o.id;
  b.model = o.weights->digest;
  b.dtype = o.arena->layout().dtype;
  b.blocks = o.blocks;
  b.cached_blocks = o.cached_blocks;
  b.threads = o.threads;
  b.prefill_chunk = o.prefill_chunk;
  b.push_bytes = o.push_bytes;
  b.max_batch = o.max_batch;
  b.role = o.role;
  b.slo = o.slo.has_value();
  if (o.slo) {
    b.ttft_ns = o.slo->ttft.count();
    b.tpot_ns = o.slo->tpot.count();
  }
  b.preempt = o.preempt;
  b.store = o.store;
  b.activations = o.activations;
  set_timing(b, o.timing);
  b.ranks = o.ranks != nullptr;
  b.gather_ns = o.gather_within.count();
  return b;
}

node_options options_of(const node_birth& b) {
  auto o = node_options{};
  o.id = b.id;
  o.blocks = b.blocks;
  o.cached_blocks = b.cached_blocks;
  o.threads = b.threads;
  o.prefill_chunk = b.prefill_chunk;
  o.push_bytes = b.push_bytes;
  o.max_batch = b.max_batch;
  o.role = b.role;
  if (b.slo)
    o.slo = batch_slo{duration{b.ttft_ns}, duration{b.tpot_ns}};
  o.preempt = b.preempt;
  o.store = b.store;
  o.activations = b.activations;
  o.timing = timing_of(b);
  o.gather_within = duration{b.gather_ns};
  return o;
}

kv_store_birth birth_of(const kv_store_options& o) {
  auto b = kv_store_birth{};
  b.id = o.id;
  b.model = o.weights->digest;
  b.dtype = o.arena->layout().dtype;
  b.blocks = o.blocks;
  b.file = o.file != nullptr;
  b.file_blocks = o.file_blocks;
  set_timing(b, o.timing);
  return b;
}

kv_store_options options_of(const kv_store_birth& b) {
  auto o = kv_store_options{};
  o.id = b.id;
  o.blocks = b.blocks;
  o.file_blocks = b.file_blocks;
  o.timing = timing_of(b);
  return o;
}

scheduler_birth birth_of(schedule_sink node, const schedule_policy& p) {
  return {std::move(node), p.patience_ns,     p.block_tokens,
          p.horizon,       p.admit_horizon,   p.prefill_backlog,
          p.min_run,       p.max_preemptions, p.min_gain};
}

schedule_policy policy_of(const scheduler_birth& b) {
  return {b.patience_ns,     b.block_tokens, b.horizon,         b.admit_horizon,
          b.prefill_backlog, b.min_run,      b.max_preemptions, b.min_gain};
}

controller_birth birth_of(const batch_controller_options& o) {
  return {o.slo.ttft.count(),    o.slo.tpot.count(), o.most.rows,
          o.most.prefill_tokens, o.granularity,      o.stretch};
}

batch_controller_options options_of(const controller_birth& b) {
  auto o = batch_controller_options{};
  o.slo = {duration{b.ttft_ns}, duration{b.tpot_ns}};
  o.most = {b.most_rows, b.most_prefill};
  o.granularity = b.granularity;
  o.stretch = b.stretch;
  return o;
}

profiler_birth birth_of(const profiler_options& o) {
  return {o.traces, o.service, o.instance, o.unix_offset.count()};
}

profiler_options options_of(const profiler_birth& b) {
  return {b.traces, b.service, b.instance, duration{b.unix_offset_ns}};
}

} // namespace troupe
