#include "runtime/node_setup.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <thread>

#include "actors/kv_store.hpp"

namespace troupe {

namespace {

kv_dtype default_kv(const model& m) {
  return m.w.embedding.type == dtype::f32 ? kv_dtype::f32 : kv_dtype::f16;
}

// Enough for a full batch of half-full contexts; memory is taken as used.
uint32_t default_blocks(const model& m, uint32_t max_batch) {
  auto context = kv_layout::blocks_for(m.params.context);
  return context * std::max(2u, max_batch / 2);
}

// KV kept for prompts that begin alike: a quarter of it, within reason.
uint32_t default_cache(const kv_layout& layout, uint32_t blocks) {
  constexpr auto most_bytes = size_t{512} << 20;
  auto most = most_bytes / std::max<size_t>(1, layout.block_bytes());
  return static_cast<uint32_t>(std::min<size_t>(blocks / 4, most));
}

} // namespace

node_setup::node_setup(const runtime_options& options,
                       std::shared_ptr<const model> weights)
    : options_(options), weights_(std::move(weights)),
      layout_(layout_of(options_, *weights_)),
      arena_(make_block_arena(layout_)) {}

result<void> node_setup::start_store(caf::actor_system& system) {
  auto& plan = options_.nodes.store;
  if (!options_.preempt || !plan)
    return {};
  auto s = kv_store_options{};
  s.weights = weights_;
  s.arena = arena_;
  s.blocks = plan->blocks > 0 ? plan->blocks
                              : default_blocks(*weights_, options_.max_batch);
  if (!plan->directory.empty()) {
    auto file = open_nameless_file(plan->directory);
    if (!file)
      return file.failure();
    s.file = std::move(*file);
    s.file_blocks = plan->file_blocks;
  }
  store_ = system.spawn<caf::detached>(kv_store, std::move(s));
  return {};
}

node_options node_setup::node(const node_plan& plan, node_id id,
                              node_role role) const {
  auto n = node_options{};
  n.id = id;
  n.role = role;
  n.weights = weights_;
  n.arena = arena_;
  n.blocks = plan.blocks > 0 ? plan.blocks
                             : default_blocks(*weights_, options_.max_batch);
  // What decodes only sees few prompts.
  if (options_.prefix_cache)
    n.cached_blocks = plan.cache.value_or(
        role == node_role::decode ? 0 : default_cache(layout_, n.blocks));
  auto ranks = ranks_of(options_, plan).ranks;
  n.threads =
      plan.threads > 0 ? plan.threads : std::max(1u, options_.threads / ranks);
  n.prefill_chunk = options_.prefill_chunk;
  n.max_batch = options_.max_batch;
  n.gather_within = options_.gather_within;
  n.activations = options_.activations;
  n.preempt = options_.preempt;
  n.slo = options_.slo;
  if (n.slo)
    n.gather_within = std::min(n.gather_within, n.slo->tpot);
  n.store = store_;
  return n;
}

result<void> node_setup::prepare_ranks(const std::vector<node_plan>& plans) {
  for (auto& plan : plans) {
    auto [kind, n] = ranks_of(options_, plan);
    if (options_.tensor_ranks > 1 && plan.sequence_ranks > 1)
      return fail(errc::invalid_argument,
                  "a node has tensor ranks or sequence ranks, not both");
    if (n < 2 || ranks_.contains({kind, n}))
      continue;
    auto s = set_up_ranks(weights_, kind, n, layout_.dtype);
    if (!s)
      return s.failure();
    ranks_.emplace(std::pair{kind, n}, std::move(*s));
  }
  return {};
}

node_options node_setup::start_node(caf::actor_system& system,
                                    const node_plan& plan, node_id id,
                                    node_role role) const {
  auto n = node(plan, id, role);
  auto [kind, ranks] = ranks_of(options_, plan);
  if (ranks > 1)
    n.ranks = start_local_ranks(system, ranks_.at({kind, ranks}), n);
  return n;
}

rank_choice ranks_of(const runtime_options& options, const node_plan& plan) {
  if (options.tensor_ranks > 1)
    return {rank_kind::tensor, options.tensor_ranks};
  return {rank_kind::sequence, std::max(1u, plan.sequence_ranks)};
}

kv_layout layout_of(const runtime_options& options, const model& weights) {
  return kv_layout_of(weights.params, options.kv.value_or(default_kv(weights)));
}

result<runtime_options> completed(runtime_options options) {
  if (options.max_batch == 0 || options.prefill_chunk == 0)
    return fail(errc::invalid_argument,
                "max_batch and prefill_chunk must be at least 1");
  if (options.tensor_ranks == 0 || options.tensor_ranks > node_plan::max_ranks)
    return fail(errc::invalid_argument,
                "tensor_ranks must be a number from 1 to "
                    + std::to_string(node_plan::max_ranks));
  if (options.threads == 0)
    options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.prefill_chunk =
      kv_layout::blocks_for(options.prefill_chunk) * kv_block_tokens;
  return options;
}

std::string fingerprint(const model& weights, activation_type activations,
                        uint32_t tensor_ranks) {
  auto how = activations == activation_type::i8    ? "i8"
             : activations == activation_type::i16 ? "i16"
                                                   : "f32";
  auto ranks = tensor_ranks > 1 ? ":" + std::to_string(tensor_ranks) : "";
  return weights.digest + ":" + how + ranks;
}

} // namespace troupe
