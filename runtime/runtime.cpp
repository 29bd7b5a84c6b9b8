#include "runtime/runtime.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "actors/decode_node.hpp"
#include "actors/error.hpp"
#include "actors/gateway.hpp"
#include "actors/kv_store.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "runtime/clients.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto move_patience = std::chrono::seconds{120};

time_point stamp() {
  return std::chrono::steady_clock::now();
}

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

// -- generation --------------------------------------------------------------

namespace {

// The way to the gateway while there is one: a generation may outlive its
// runtime, a handle must not outlive its actor system.
struct front_door {
  std::mutex mutex;
  gateway_actor gateway;

  void cancel(request_id id) {
    auto guard = std::lock_guard{mutex};
    if (gateway)
      caf::anon_send(gateway, cancel_request{id});
  }

  void close() {
    auto guard = std::lock_guard{mutex};
    gateway = nullptr;
  }
};

} // namespace

struct generation::impl {
  request_id id = 0;
  std::shared_ptr<event_queue> queue;
  std::shared_ptr<front_door> door;
};

generation::generation(std::shared_ptr<impl> p) : impl_(std::move(p)) {}
generation::generation(generation&&) noexcept = default;

generation& generation::operator=(generation&& other) noexcept {
  if (this != &other) {
    if (impl_)
      cancel();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

generation::~generation() {
  if (impl_)
    cancel();
}

request_id generation::id() const {
  return impl_->id;
}

std::optional<generation::event> generation::next() {
  return impl_->queue->pop();
}

void generation::cancel() {
  if (!impl_->queue->ended())
    impl_->door->cancel(impl_->id);
}

std::optional<duration> generation::time_to_first_token() const {
  return impl_->queue->time_to_first_token();
}

std::optional<duration> generation::time_per_output_token() const {
  return impl_->queue->time_per_output_token();
}

completion collect(generation& g) {
  auto all = completion{};
  while (auto event = g.next()) {
    if (auto* t = std::get_if<token_event>(&*event)) {
      all.tokens.insert(all.tokens.end(), t->tokens.begin(), t->tokens.end());
      all.details.insert(all.details.end(), t->details.begin(),
                         t->details.end());
      all.text += t->text;
    } else {
      all.end = std::move(std::get<finish_event>(*event));
      all.text += all.end.text;
    }
  }
  return all;
}

// -- runtime -----------------------------------------------------------------

struct runtime::impl {
  explicit impl(runtime_options o) : options(std::move(o)) {}

  ~impl() {
    if (!system)
      return;
    door->close();
    // The gateway ends its sessions, and with them their clients.
    caf::anon_send_exit(gateway, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
    for (auto& n : prefill)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    for (auto& n : decode)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    for (auto& n : mixed)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    if (store)
      caf::anon_send_exit(store, caf::exit_reason::user_shutdown);
    gateway = nullptr;
    registry = nullptr;
    prefill.clear();
    decode.clear();
    mixed.clear();
    store = nullptr;
  }

  result<void> start();
  result<void> start_store(std::shared_ptr<block_arena> arena);

  template <class Answer, class Question>
  result<Answer> ask(Question question, std::chrono::seconds most) {
    auto answer = result<Answer>{Answer{}};
    auto self = caf::scoped_actor{*system};
    self->request(gateway, most, std::move(question))
        .receive([&](const Answer& a) { answer = a; },
                 [&](const caf::error& e) { answer = from_caf(e); });
    return answer;
  }

  runtime_options options;
  std::shared_ptr<const model> weights;
  std::shared_ptr<const tokenizer> text;
  std::atomic<request_id> last_request{0};
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  registry_actor registry;
  gateway_actor gateway;
  std::shared_ptr<front_door> door = std::make_shared<front_door>();
  std::vector<prefill_actor> prefill;
  std::vector<decode_actor> decode;
  std::vector<decode_actor> mixed;
  kv_store_actor store;
};

result<void> runtime::impl::start_store(std::shared_ptr<block_arena> arena) {
  auto& plan = options.nodes.store;
  if (!options.preempt || !plan)
    return {};
  auto s = kv_store_options{};
  s.weights = weights;
  s.arena = std::move(arena);
  s.blocks = plan->blocks > 0 ? plan->blocks
                              : default_blocks(*weights, options.max_batch);
  if (!plan->directory.empty()) {
    auto file = open_nameless_file(plan->directory);
    if (!file)
      return file.failure();
    s.file = std::move(*file);
    s.file_blocks = plan->file_blocks;
  }
  store = system->spawn<caf::detached>(kv_store, std::move(s));
  return {};
}

result<void> runtime::impl::start() {
  system = std::make_unique<caf::actor_system>(config);
  auto layout =
      kv_layout_of(weights->params, options.kv.value_or(default_kv(*weights)));
  auto arena = make_block_arena(layout);
  registry = system->spawn(troupe::registry, std::chrono::milliseconds{5000});
  auto id = node_id{0};
  if (auto ok = start_store(arena); !ok)
    return ok.failure();
  auto node = [&](const node_plan& plan) {
    auto n = node_options{};
    n.id = ++id;
    n.weights = weights;
    n.arena = arena;
    n.blocks = plan.blocks > 0 ? plan.blocks
                               : default_blocks(*weights, options.max_batch);
    if (options.prefix_cache)
      n.cached_blocks = plan.cache.value_or(default_cache(layout, n.blocks));
    n.threads = plan.threads > 0 ? plan.threads : options.threads;
    n.prefill_chunk = options.prefill_chunk;
    n.max_batch = options.max_batch;
    n.activations = options.activations;
    n.preempt = options.preempt;
    n.slo = options.slo;
    n.store = store;
    return n;
  };
  for (auto& plan : options.nodes.prefill) {
    auto n = node(plan);
    prefill.push_back(system->spawn<caf::detached>(prefill_node, n));
    caf::anon_send(registry, add_prefill{n.id, prefill.back()});
  }
  for (auto& plan : options.nodes.decode) {
    auto n = node(plan);
    n.role = node_role::decode;
    n.cached_blocks = plan.cache.value_or(0);
    decode.push_back(system->spawn<caf::detached>(decode_node, n));
    caf::anon_send(registry, add_decode{n.id, decode.back()});
  }
  for (auto& plan : options.nodes.mixed) {
    auto n = node(plan);
    mixed.push_back(system->spawn<caf::detached>(decode_node, n));
    caf::anon_send(registry, add_mixed{n.id, mixed.back()});
  }
  auto g = gateway_options{};
  g.registry = registry;
  g.vocab = weights->params.vocab;
  g.context = weights->params.context;
  g.end_tokens = text->end_tokens();
  g.text = text;
  gateway = system->spawn(troupe::gateway, std::move(g));
  door->gateway = gateway;
  return {};
}

runtime::runtime(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
runtime::runtime(runtime&&) noexcept = default;
runtime& runtime::operator=(runtime&&) noexcept = default;
runtime::~runtime() = default;

result<runtime> runtime::open(runtime_options options) {
  auto& nodes = options.nodes;
  if (nodes.prefill.empty() != nodes.decode.empty())
    return fail(errc::invalid_argument,
                "a prefill node needs a decode node, and the reverse");
  if (nodes.prefill.empty() && nodes.mixed.empty())
    nodes.mixed.resize(1);
  if (options.max_batch == 0 || options.prefill_chunk == 0)
    return fail(errc::invalid_argument,
                "max_batch and prefill_chunk must be at least 1");
  if (options.threads == 0)
    options.threads = std::max(1u, std::thread::hardware_concurrency());
  options.prefill_chunk =
      kv_layout::blocks_for(options.prefill_chunk) * kv_block_tokens;
  auto p = std::make_unique<impl>(std::move(options));
  auto loaded = load_model(p->options.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  auto text = tokenizer::make(p->weights->vocab);
  if (!text)
    return fail(text.failure().code,
                p->options.model + ": " + text.failure().message);
  p->text = std::move(*text);
  if (auto ok = p->start(); !ok)
    return ok.failure();
  return runtime{std::move(p)};
}

result<generation> runtime::submit(generate_request request) {
  auto g = std::make_shared<generation::impl>();
  g->id = request.request = ++impl_->last_request;
  g->door = impl_->door;
  g->queue = std::make_shared<event_queue>(stamp());
  auto client =
      impl_->system->spawn(queue_client, impl_->gateway, g->id, g->queue);
  auto refused = error{};
  auto self = caf::scoped_actor{*impl_->system};
  self->request(impl_->gateway, patience,
                troupe::submit{std::move(request), client})
      .receive([](const admitted&) {},
               [&](const caf::error& e) { refused = from_caf(e); });
  if (refused) {
    caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
    return refused;
  }
  return generation{std::move(g)};
}

result<migrated> runtime::migrate(request_id request, node_id to) {
  return impl_->ask<migrated>(migrate_request{request, to}, move_patience);
}

result<drained> runtime::drain(node_id node) {
  return impl_->ask<drained>(drain_request{node}, move_patience);
}

result<cluster_status> runtime::status() {
  return impl_->ask<cluster_status>(status_query{}, patience);
}

const model& runtime::weights() const {
  return *impl_->weights;
}

const tokenizer& runtime::text() const {
  return *impl_->text;
}

} // namespace troupe
