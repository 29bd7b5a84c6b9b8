#include "runtime/runtime.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <random>
#include <thread>

#include <unistd.h>

#include "actors/error.hpp"
#include "actors/gateway.hpp"
#include "actors/model_manager.hpp"
#include "actors/profiler.hpp"
#include "actors/registry.hpp"
#include "actors/response_cache.hpp"
#include "runtime/clients.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/generation_impl.hpp"
#include "runtime/model_path.hpp"
#include "runtime/node_setup.hpp"
#include "runtime/otlp_exporter.hpp"
#include "runtime/post_json.hpp"
#include "runtime/system_config.hpp"
#include "runtime/version_host.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto move_patience = std::chrono::seconds{120};
constexpr auto node_patience = std::chrono::seconds{15};
constexpr auto status_patience = std::chrono::milliseconds{5000};

time_point stamp() {
  return std::chrono::steady_clock::now();
}

// Added to the clock of actors it is Unix time.
duration unix_offset() {
  return std::chrono::system_clock::now().time_since_epoch()
         - stamp().time_since_epoch();
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
    caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
    if (cache)
      caf::anon_send_exit(cache, caf::exit_reason::user_shutdown);
    if (exporter)
      flush();
    *over = true;
    if (exporter)
      caf::anon_send_exit(exporter, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(profiler, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(registry, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(door, caf::exit_reason::user_shutdown);
    // It may be about to start nodes.
    if (host) {
      auto self = caf::scoped_actor{*system, true};
      self->send_exit(host, caf::exit_reason::user_shutdown);
      self->wait_for(host);
    }
    gateway = nullptr;
    manager = nullptr;
    cache = nullptr;
    exporter = nullptr;
    profiler = nullptr;
    registry = nullptr;
    door = nullptr;
    host = nullptr;
    // The host may hold them for a moment yet.
    if (nodes)
      nodes->end_all();
    nodes.reset();
    transport.reset();
  }

  result<void> start();
  result<void> open_cluster();
  void manage_versions();
  void observe();
  void flush();
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
  first_versions first;
  std::shared_ptr<version_nodes> nodes;
  std::unique_ptr<cluster_transport> transport;
  uint16_t port = 0;
  std::mutex clients_mutex;
  std::vector<caf::actor_addr> clients; ///< of a cluster, alive or not
  registry_actor registry;
  gateway_actor gateway;
  model_manager_actor manager;
  response_cache_actor cache; ///< null: there is none
  profiler_actor profiler;
  otlp_exporter_actor exporter; ///< null: there is none
  std::shared_ptr<std::atomic<bool>> over =
      std::make_shared<std::atomic<bool>>(false);
  version_host_actor host;
  door_actor door;
  std::shared_ptr<front_door> front = std::make_shared<front_door>();
};

// The front: whoever has requests comes to its gateway, nodes of other
// processes to its registry.
result<void> runtime::impl::open_cluster() {
  auto& o = *options.cluster;
  auto m = membership_options{};
  m.cluster = {fingerprint(*weights, options.activations, options.tensor_ranks),
               layout_of(options, *weights), isa_class};
  m.version = first.active;
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
  if (!options.cluster)
    registry = system->spawn(troupe::registry, status_patience);
  else if (auto ok = open_cluster(); !ok)
    return ok.failure();
  nodes = std::make_shared<version_nodes>(*system, options,
                                          options.cluster.has_value());
  if (auto ok = nodes->start(first.active, weights, registry); !ok)
    return ok.failure();
  if (options.cache)
    cache = system->spawn(
        response_cache_service,
        response_cache_service_options{*options.cache, options.semantic_cache,
                                       text, std::random_device{}()});
  manage_versions();
  observe();
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
  g.session.versions = manager;
  g.session.cache = cache;
  g.session.profiler = profiler;
  g.session.prefix_cache = options.prefix_cache;
  gateway = system->spawn(troupe::gateway, std::move(g));
  if (cache)
    caf::anon_send(cache, embed_through{gateway});
  front->open(gateway);
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

void runtime::impl::manage_versions() {
  auto h = version_host_options{};
  h.nodes = nodes;
  h.registry = registry;
  h.cache = cache;
  h.front = front;
  h.first = weights;
  h.state_file = options.versions.state_file;
  h.log = options.versions.log;
  host = system->spawn<caf::detached>(version_host, std::move(h));
  auto m = model_manager_options{};
  m.versions = std::move(first.versions);
  m.unix_offset = unix_offset();
  m.seed = std::random_device{}();
  m.host = host;
  manager = system->spawn(model_manager, std::move(m));
}

void runtime::impl::observe() {
  auto p = profiler_options{};
  p.instance = std::to_string(::getpid());
  p.unix_offset = unix_offset();
  profiler = system->spawn(troupe::profiler, std::move(p));
  if (!options.otlp)
    return;
  auto to = *parse_http_address(options.otlp->endpoint);
  exporter = system->spawn<caf::detached>(otlp_exporter, profiler,
                                          std::move(to), *options.otlp, over);
}

// The last spans, for a moment. Those of what ends with the gateway are lost.
void runtime::impl::flush() {
  constexpr auto moment = std::chrono::seconds{1};
  auto text = std::string{};
  auto self = caf::scoped_actor{*system};
  self->request(profiler, moment,
                profile_query{profile_query::kind::otlp_traces})
      .receive([&](profile_report& r) { text = std::move(r.text); },
               [](const caf::error&) {
                 // It does not answer in time.
               });
  if (text.empty())
    return;
  auto to = *parse_http_address(options.otlp->endpoint);
  auto sent = post_json(to, "/v1/traces", text, moment, *over);
  if (!sent && options.otlp->log)
    options.otlp->log("the last traces are not exported: "
                      + sent.failure().message);
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
  front->open(gateway);
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
  if (options.otlp)
    if (auto to = parse_http_address(options.otlp->endpoint); !to)
      return to.failure();
  // A front may leave all the work to others.
  if (nodes.prefill.empty() && nodes.mixed.empty() && !options.cluster)
    nodes.mixed.resize(1);
  auto whole = completed(std::move(options));
  if (!whole)
    return whole.failure();
  auto p = std::make_unique<impl>(std::move(*whole));
  if (!p->options.client) {
    auto& v = p->options.versions;
    auto first =
        find_versions(v.state_file, p->options.model, v.name, v.rules, stamp());
    if (!first)
      return first.failure();
    p->first = std::move(*first);
    p->options.model = p->first.model;
  }
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

subscription runtime::embed(embed_request request,
                            std::function<void(embed_event)> on_event) {
  auto remote = impl_->options.client.has_value();
  request.request = remote ? 0 : ++impl_->last_request;
  auto client = impl_->system->spawn(embed_client, impl_->gateway,
                                     std::move(request), std::move(on_event));
  if (remote)
    impl_->remember(client->address());
  auto p = std::make_unique<subscription::impl>();
  p->client = client->address();
  return subscription{std::move(p)};
}

embeddings runtime::embed(embed_request request) {
  struct waiting {
    embeddings all;
    std::promise<void> done;
  };
  auto w = std::make_shared<waiting>();
  w->all.vectors.resize(request.inputs.size());
  auto under_way = embed(std::move(request), [w](embed_event e) {
    auto& all = w->all;
    if (auto* v = std::get_if<embedding_event>(&e)) {
      if (v->index < all.vectors.size())
        all.vectors[v->index] = std::move(v->vector);
    } else {
      all.end = std::move(std::get<finish_event>(e));
      w->done.set_value();
    }
  });
  w->done.get_future().wait();
  return std::move(w->all);
}

result<migrated> runtime::migrate(request_id request, node_id to) {
  return impl_->ask<migrated>(migrate_request{request, to}, move_patience);
}

result<drained> runtime::drain(node_id node) {
  return impl_->ask<drained>(drain_request{node, {}}, move_patience);
}

result<cluster_status> runtime::status(status_query q) {
  return impl_->ask<cluster_status>(q, patience);
}

result<drained> runtime::drain(const std::string& name) {
  return impl_->ask<drained>(drain_request{0, name}, move_patience);
}

result<version_id> runtime::load_version(std::string name, std::string path) {
  path = absolute_path(path);
  auto bytes = bytes_of_model(path);
  if (!bytes)
    return bytes.failure();
  auto v = impl_->ask<version_started>(
      troupe::load_version{std::move(name), std::move(path), *bytes}, patience);
  if (!v)
    return v.failure();
  return v->version;
}

result<versions_status> runtime::command(version_command c) {
  return impl_->ask<versions_status>(std::move(c), patience);
}

result<cache_status> runtime::cache() {
  return impl_->ask<cache_status>(cache_query{}, patience);
}

result<profile_report> runtime::profile(profile_query q) {
  return impl_->ask<profile_report>(q, patience);
}

result<stage_latencies> runtime::latencies() {
  return impl_->ask<stage_latencies>(latency_query{}, patience);
}

result<versions_status> runtime::versions() {
  return impl_->ask<versions_status>(versions_query{}, patience);
}

limits_status runtime::limits(const tenant& who) const {
  auto& all = impl_->limits;
  if (!all)
    return {};
  auto now = stamp();
  auto handle = all->resolve(who, now);
  return all->status(handle, now);
}

std::vector<organisation_status> runtime::organisations() const {
  if (!impl_->limits)
    return {};
  return impl_->limits->organisations(stamp());
}

result<void> runtime::set_limits(limits_table table) {
  if (!impl_->limits)
    return fail(errc::unsupported, "there are no limits of tenants");
  return impl_->limits->configure(std::move(table), stamp());
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
