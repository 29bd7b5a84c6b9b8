#include "runtime/runtime.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "actors/decode_node.hpp"
#include "actors/error.hpp"
#include "actors/gateway.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "runtime/clients.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/cluster/let_go.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/generation_impl.hpp"
#include "runtime/node_setup.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto move_patience = std::chrono::seconds{120};
constexpr auto node_patience = std::chrono::seconds{15};
constexpr auto status_patience = std::chrono::milliseconds{5000};

time_point stamp() {
  return std::chrono::steady_clock::now();
}

} // namespace

// -- runtime -----------------------------------------------------------------

struct runtime::impl {
  explicit impl(runtime_options o) : options(std::move(o)) {}

  ~impl() {
    if (!system)
      return;
    front->close();
    if (options.client) {
      // The gateway lives on: what is under way ends here, and there because
      // its clients are gone.
      auto end = finish_event{};
      end.reason = finish_reason::error;
      end.code = errc::abandoned;
      end.message = "the runtime is gone";
      for (auto& c : clients)
        if (auto client = caf::actor_cast<client_actor>(c))
          caf::anon_send(client, end);
      gateway = nullptr;
      transport.reset();
      return;
    }
    // The gateway ends its sessions, and with them their clients.
    caf::anon_send_exit(gateway, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
    for (auto& n : prefill)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    for (auto& n : decode)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    for (auto& n : mixed)
      caf::anon_send_exit(n, caf::exit_reason::user_shutdown);
    if (setup && setup->store())
      caf::anon_send_exit(setup->store(), caf::exit_reason::user_shutdown);
    setup.reset();
    gateway = nullptr;
    registry = nullptr;
    door = nullptr;
    if (transport) {
      auto self = caf::scoped_actor{*system, true};
      auto end = [&](auto& nodes) {
        for (auto& n : nodes) {
          self->wait_for(n);
          let_go(n);
        }
      };
      end(prefill);
      end(decode);
      end(mixed);
    }
    prefill.clear();
    decode.clear();
    mixed.clear();
    transport.reset();
  }

  result<void> start();
  result<void> open_cluster();
  result<void> connect();

  // Those of a cluster's clients that live.
  void remember(caf::actor_addr client) {
    auto guard = std::lock_guard{clients_mutex};
    std::erase_if(clients, [](auto& c) {
      return caf::actor_cast<caf::strong_actor_ptr>(c) == nullptr;
    });
    clients.push_back(std::move(client));
  }

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
  std::shared_ptr<rate_limiter> limits; ///< null: there are none
  std::atomic<request_id> last_request{0};
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::optional<node_setup> setup;
  std::unique_ptr<cluster_transport> transport;
  uint16_t port = 0;
  std::mutex clients_mutex;
  std::vector<caf::actor_addr> clients; ///< of a cluster, alive or not
  registry_actor registry;
  gateway_actor gateway;
  door_actor door;
  std::shared_ptr<front_door> front = std::make_shared<front_door>();
  std::vector<prefill_actor> prefill;
  std::vector<decode_actor> decode;
  std::vector<decode_actor> mixed;
};

// The front: whoever has requests comes to its gateway, nodes of other
// processes to its registry.
result<void> runtime::impl::open_cluster() {
  auto& o = *options.cluster;
  auto m = membership_options{};
  m.cluster = {fingerprint(*weights, options.activations, options.tensor_ranks),
               setup->layout(), isa_class};
  m.life = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
  m.interval = o.interval;
  m.timeout = o.timeout;
  m.suspect_after = o.timeout / 2;
  if (m.interval <= duration{} || m.interval >= m.suspect_after)
    return fail(errc::invalid_argument,
                "a cluster's timeout must be over twice its interval");
  registry = system->spawn(cluster_registry, status_patience, std::move(m));
  auto t = transport_options{};
  t.tls = o.tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  return {};
}

result<void> runtime::impl::start() {
  if (options.cluster || options.client)
    cluster_transport::configure(config);
  system = std::make_unique<caf::actor_system>(config);
  if (options.client)
    return connect();
  setup.emplace(options, weights);
  if (auto ok = setup->start_store(*system); !ok)
    return ok.failure();
  if (!options.cluster)
    registry = system->spawn(troupe::registry, status_patience);
  else if (auto ok = open_cluster(); !ok)
    return ok.failure();
  for (auto* plans :
       {&options.nodes.prefill, &options.nodes.decode, &options.nodes.mixed})
    if (auto ok = setup->prepare_ranks(*plans); !ok)
      return ok.failure();
  auto id = node_id{0};
  for (auto& plan : options.nodes.prefill) {
    auto n = setup->start_node(*system, plan, ++id, node_role::prefill);
    prefill.push_back(system->spawn<caf::detached>(prefill_node, std::move(n)));
    caf::anon_send(registry, add_prefill{id, prefill.back()});
  }
  for (auto& plan : options.nodes.decode) {
    auto n = setup->start_node(*system, plan, ++id, node_role::decode);
    decode.push_back(system->spawn<caf::detached>(decode_node, std::move(n)));
    caf::anon_send(registry, add_decode{id, decode.back()});
  }
  for (auto& plan : options.nodes.mixed) {
    auto n = setup->start_node(*system, plan, ++id, node_role::mixed);
    mixed.push_back(system->spawn<caf::detached>(decode_node, std::move(n)));
    caf::anon_send(registry, add_mixed{id, mixed.back()});
  }
  auto g = gateway_options{};
  g.registry = registry;
  g.vocab = weights->params.vocab;
  g.context = weights->params.context;
  g.end_tokens = text->end_tokens();
  g.text = text;
  // Nodes of other processes that are lost come back.
  if (options.cluster)
    g.session.node_patience = node_patience;
  if (options.tenants)
    limits = std::make_shared<rate_limiter>(*options.tenants, stamp());
  g.session.limits = limits;
  gateway = system->spawn(troupe::gateway, std::move(g));
  front->gateway = gateway;
  if (!transport)
    return {};
  door = system->spawn(troupe::door, registry, gateway);
  auto& at = options.cluster->listen;
  auto bound = transport->publish(door, at.port, at.host);
  if (!bound)
    return bound.failure();
  port = *bound;
  return {};
}

// A client has no actors of its own but those that hear of its requests.
result<void> runtime::impl::connect() {
  auto t = transport_options{};
  t.tls = options.client->tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  auto found = find_registry(*system, *transport, options.client->at);
  if (!found)
    return found.failure();
  gateway = found->gateway;
  front->gateway = gateway;
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
  if (options.cluster && options.client)
    return fail(errc::invalid_argument,
                "a process is a cluster's front or its client, not both");
  if (options.tenants) {
    if (options.client)
      return fail(errc::invalid_argument,
                  "limits of tenants are those of a cluster's front");
    if (auto ok = check(*options.tenants); !ok)
      return ok.failure();
  }
  // A front may leave all the work to others.
  if (nodes.prefill.empty() && nodes.mixed.empty() && !options.cluster)
    nodes.mixed.resize(1);
  auto whole = completed(std::move(options));
  if (!whole)
    return whole.failure();
  auto p = std::make_unique<impl>(std::move(*whole));
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
  // A cluster's gateway numbers the requests of all its clients.
  auto remote = impl_->options.client.has_value();
  g->id = request.request = remote ? 0 : ++impl_->last_request;
  g->door = impl_->front;
  g->queue = std::make_shared<event_queue>(stamp());
  auto client =
      impl_->system->spawn(queue_client, impl_->gateway, g->id, g->queue);
  auto refused = error{};
  auto self = caf::scoped_actor{*impl_->system};
  self->request(impl_->gateway, patience,
                troupe::submit{std::move(request), client})
      .receive([&](const admitted& a) { g->id = a.request; },
               [&](const caf::error& e) { refused = from_caf(e); });
  if (refused) {
    caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
    return refused;
  }
  if (remote)
    impl_->remember(client->address());
  return generation{std::move(g)};
}

subscription runtime::submit(generate_request request,
                             std::function<void(generation::event)> on_event) {
  auto remote = impl_->options.client.has_value();
  request.request = remote ? 0 : ++impl_->last_request;
  auto client = impl_->system->spawn(callback_client, impl_->gateway,
                                     std::move(request), std::move(on_event));
  if (remote)
    impl_->remember(client->address());
  auto p = std::make_unique<subscription::impl>();
  p->client = client->address();
  return subscription{std::move(p)};
}

result<migrated> runtime::migrate(request_id request, node_id to) {
  return impl_->ask<migrated>(migrate_request{request, to}, move_patience);
}

result<drained> runtime::drain(node_id node) {
  return impl_->ask<drained>(drain_request{node, {}}, move_patience);
}

result<cluster_status> runtime::status() {
  return impl_->ask<cluster_status>(status_query{}, patience);
}

result<drained> runtime::drain(const std::string& name) {
  return impl_->ask<drained>(drain_request{0, name}, move_patience);
}

limits_status runtime::limits(const tenant& who) const {
  auto& all = impl_->limits;
  if (!all)
    return {};
  auto now = stamp();
  auto handle = all->resolve(who, now);
  return all->status(handle, now);
}

uint16_t runtime::cluster_port() const {
  return impl_->port;
}

const std::string& runtime::model_path() const {
  return impl_->options.model;
}

const model& runtime::weights() const {
  return *impl_->weights;
}

const tokenizer& runtime::text() const {
  return *impl_->text;
}

} // namespace troupe
