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
      layout_(kv_layout_of(weights_->params,
                           options_.kv.value_or(default_kv(*weights_)))),
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
  n.threads = plan.threads > 0 ? plan.threads : options_.threads;
  n.prefill_chunk = options_.prefill_chunk;
  n.max_batch = options_.max_batch;
  n.activations = options_.activations;
  n.preempt = options_.preempt;
  n.slo = options_.slo;
  n.store = store_;
  return n;
}

result<runtime_options> completed(runtime_options options) {
  if (options.max_batch == 0 || options.prefill_chunk == 0)
    return fail(errc::invalid_argument,
                "max_batch and prefill_chunk must be at least 1");
  if (options.threads == 0)
    options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.prefill_chunk =
      kv_layout::blocks_for(options.prefill_chunk) * kv_block_tokens;
  return options;
}

std::string fingerprint(const model& weights, activation_type activations) {
  auto how = activations == activation_type::i8    ? "i8"
             : activations == activation_type::i16 ? "i16"
                                                   : "f32";
  return weights.digest + ":" + how;
}

} // namespace troupe
