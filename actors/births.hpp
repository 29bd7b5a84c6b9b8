#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "actors/embedder.hpp"
#include "actors/gateway.hpp"
#include "actors/kv_store.hpp"
#include "actors/node_options.hpp"
#include "actors/profiler.hpp"
#include "actors/registry.hpp"
#include "core/base/time.hpp"
#include "core/cluster/membership.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/preempt_scheduler.hpp"

namespace troupe {

// What actors were spawned with, as a recording keeps it: all that decides what
// they do, but for the model and what belongs to it, which replays bring.

/// Of a session_options: the tokenizer is the model's, limits are asked again
/// of the recording.
struct session_settings {
  int64_t patience_ms = 0;
  uint32_t max_placements = 0;
  int64_t backoff_ms = 0;
  int64_t node_patience_ms = 0;
  int64_t node_retry_ms = 0;
  bool limited = false;
  bool prefix_cache = false;
  model_manager_actor versions;
  response_cache_actor cache;
  profiler_actor profiler;
  auditor_actor audit;
  auto fields() {
    return std::tie(patience_ms, max_placements, backoff_ms, node_patience_ms,
                    node_retry_ms, limited, prefix_cache, versions, cache,
                    profiler, audit);
  }
};

session_settings settings_of(const session_options& o);
session_options options_of(const session_settings& s);

struct session_birth {
  gateway_actor gateway;
  registry_actor registry;
  client_actor client;
  generate_request request;
  sequence_spec spec;
  bool text = false; ///< it has a tokenizer
  session_settings settings;
  auto fields() {
    return std::tie(gateway, registry, client, request, spec, text, settings);
  }
};

session_birth birth_of(const session_task& t);
std::unique_ptr<session_task> task_of(const session_birth& b,
                                      std::shared_ptr<const tokenizer> text);

struct embedder_birth {
  gateway_actor gateway;
  embed_client_actor client;
  embed_request request;
  request_id first = 0;
  session_settings settings;
  auto fields() { return std::tie(gateway, client, request, first, settings); }
};

struct gateway_birth {
  registry_actor registry;
  uint32_t vocab = 0;
  uint32_t context = 0;
  std::vector<token_id> end_tokens;
  bool text = false;
  session_settings settings;
  uint32_t max_sessions = 0;
  uint64_t first_id = 0;
  auto fields() {
    return std::tie(registry, vocab, context, end_tokens, text, settings,
                    max_sessions, first_id);
  }
};

gateway_birth birth_of(const gateway_options& o);
/// But for the tokenizer.
gateway_options options_of(const gateway_birth& b);

struct registry_birth {
  int64_t patience_ms = 0;
  bool cluster = false;
  // Of a membership_options.
  std::string model;
  kv_layout layout;
  std::string isa;
  version_id version = 0;
  uint64_t life = 0;
  int64_t interval_ns = 0;
  int64_t suspect_ns = 0;
  int64_t timeout_ns = 0;
  uint32_t max_nodes = 0;
  auto fields() {
    return std::tie(patience_ms, cluster, model, layout.layers, layout.kv_heads,
                    layout.k_dim, layout.v_dim, layout.dtype, isa, version,
                    life, interval_ns, suspect_ns, timeout_ns, max_nodes);
  }
};

registry_birth birth_of(const registry_options& o);
registry_options options_of(const registry_birth& b);

struct node_birth {
  node_id id = 0;
  std::string model; ///< digest
  kv_dtype dtype = kv_dtype::f16;
  uint32_t blocks = 0;
  uint32_t cached_blocks = 0;
  uint32_t threads = 0;
  uint32_t prefill_chunk = 0;
  uint64_t push_bytes = 0;
  uint32_t max_batch = 0;
  node_role role = node_role::mixed;
  bool slo = false;
  int64_t ttft_ns = 0;
  int64_t tpot_ns = 0;
  bool preempt = false;
  kv_store_actor store;
  activation_type activations = activation_type::i16;
  int64_t resend_ns = 0;
  int64_t lease_ns = 0;
  int64_t compute_lease_ns = 0;
  bool ranks = false; ///< it computes together with others
  int64_t gather_ns = 0;
  /// Of recordings made before a node could keep tokens.
  auto older_fields() {
    return std::tie(id, model, dtype, blocks, cached_blocks, threads,
                    prefill_chunk, push_bytes, max_batch, role, slo, ttft_ns,
                    tpot_ns, preempt, store, activations, resend_ns, lease_ns,
                    compute_lease_ns, ranks);
  }
  auto fields() { return std::tuple_cat(older_fields(), std::tie(gather_ns)); }
};

node_birth birth_of(const node_options& o);
/// But for the model and where its KV lies.
node_options options_of(const node_birth& b);

struct kv_store_birth {
  node_id id = 0;
  std::string model;
  kv_dtype dtype = kv_dtype::f16;
  uint32_t blocks = 0;
  bool file = false;
  uint32_t file_blocks = 0;
  int64_t resend_ns = 0;
  int64_t lease_ns = 0;
  int64_t compute_lease_ns = 0;
  auto fields() {
    return std::tie(id, model, dtype, blocks, file, file_blocks, resend_ns,
                    lease_ns, compute_lease_ns);
  }
};

kv_store_birth birth_of(const kv_store_options& o);
kv_store_options options_of(const kv_store_birth& b);

struct scheduler_birth {
  schedule_sink node;
  int64_t patience_ns = 0;
  uint32_t block_tokens = 0;
  uint32_t horizon = 0;
  uint32_t admit_horizon = 0;
  uint32_t prefill_backlog = 0;
  uint32_t min_run = 0;
  uint32_t max_preemptions = 0;
  double min_gain = 0;
  auto fields() {
    return std::tie(node, patience_ns, block_tokens, horizon, admit_horizon,
                    prefill_backlog, min_run, max_preemptions, min_gain);
  }
};

scheduler_birth birth_of(schedule_sink node, const schedule_policy& p);
schedule_policy policy_of(const scheduler_birth& b);

/// Of a batch controller whose predictor begins as all do.
struct controller_birth {
  int64_t ttft_ns = 0;
  int64_t tpot_ns = 0;
  uint32_t most_rows = 0;
  uint32_t most_prefill = 0;
  uint32_t granularity = 0;
  double stretch = 0;
  auto fields() {
    return std::tie(ttft_ns, tpot_ns, most_rows, most_prefill, granularity,
                    stretch);
  }
};

controller_birth birth_of(const batch_controller_options& o);
batch_controller_options options_of(const controller_birth& b);

struct profiler_birth {
  uint64_t traces = 0;
  std::string service;
  std::string instance;
  int64_t unix_offset_ns = 0;
  auto fields() { return std::tie(traces, service, instance, unix_offset_ns); }
};

profiler_birth birth_of(const profiler_options& o);
profiler_options options_of(const profiler_birth& b);

} // namespace troupe
