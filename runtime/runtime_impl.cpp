#include "runtime/runtime_impl.hpp"

#include <unistd.h>

#include <algorithm>
#include <random>

#include "actors/gateway.hpp"
#include "actors/model_manager.hpp"
#include "actors/profiler.hpp"
#include "actors/registry.hpp"
#include "actors/response_cache.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/post_json.hpp"

namespace troupe {

namespace {

constexpr auto node_patience = std::chrono::seconds{15};
constexpr auto status_patience = std::chrono::milliseconds{5000};

// Added to the clock of actors it is Unix time.
duration unix_offset() {
  return std::chrono::system_clock::now().time_since_epoch()
         - stamp().time_since_epoch();
}

} // namespace

runtime::impl::~impl() {
  if (!system)
    return;
  auto here = host_thread{};
  drain();
  front->close();
  if (lender)
    lender->close();
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
    trace.reset();
    return;
  }
  auto ended = std::vector<caf::actor>{};
  auto note = [&](const auto& a) {
    if (a)
      ended.push_back(caf::actor_cast<caf::actor>(a));
  };
  note(gateway);
  note(manager);
  note(cache);
  note(exporter);
  note(profiler);
  note(registry);
  note(door);
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
  book = nullptr;
  desk = nullptr;
  door = nullptr;
  host = nullptr;
  // The host may hold them for a moment yet.
  if (nodes)
    nodes->end_all();
  nodes.reset();
  transport.reset();
  await_actors(ended);
  audit.reset();
  trace.reset();
}

// Requests under way end by themselves, as far as they can in that time.
void runtime::impl::drain() {
  closing = true;
  if (options.drain_within <= duration{})
    return;
  auto until = stamp() + options.drain_within;
  auto self = caf::scoped_actor{*system, true};
  auto left = size_t{0};
  {
    auto guard = std::lock_guard{clients_mutex};
    for (auto& c : clients)
      if (auto client = caf::actor_cast<caf::actor>(c)) {
        self->monitor(client);
        ++left;
      }
  }
  for (auto rest = options.drain_within; left > 0 && rest > duration{};
       rest = until - stamp())
    self->receive([&](const caf::down_msg&) { --left; },
                  caf::after(rest) >> [] {});
}

// A system of our own waits for all of its actors by itself.
void runtime::impl::await_actors(const std::vector<caf::actor>& ended) {
  if (own_system)
    return;
  auto self = caf::scoped_actor{*system, true};
  for (auto& a : ended)
    self->wait_for(a);
}

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
  registry = system->spawn(
      troupe::registry, registry_options{status_patience, std::move(m), book});
  auto t = transport_options{};
  t.tls = o.tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  return {};
}

result<void> runtime::impl::record(trace_options o) {
  auto role = options.client ? "client" : options.cluster ? "front" : "host";
  auto t = message_trace::start(
      *system, about(std::move(o), role, options.model, *weights));
  if (!t)
    return t.failure();
  trace.emplace(std::move(*t));
  return {};
}

result<void> runtime::impl::start(caf::actor_system* outside) {
  auto here = host_thread{};
  auto signals = host_signals{};
  system = outside;
  if (!system) {
    if (options.cluster || options.client)
      cluster_transport::configure(config);
    auto own = config.make_system();
    if (!own)
      return own.failure();
    own_system = std::move(*own);
    system = own_system.get();
    // Requests of others are not seen here.
    if (!options.cluster && !options.client)
      lender = std::make_shared<thread_lender>(*system);
  }
  if (options.trace && !options.trace->wait)
    if (auto ok = record(*options.trace); !ok)
      return ok.failure();
  if (options.client)
    return connect();
  if (options.audit) {
    auto a = audit_service::start(*system, *options.audit);
    if (!a)
      return a.failure();
    audit.emplace(std::move(*a));
    audit->serves(options.model, first.active, weights->digest);
  }
  if (!options.cluster)
    registry = system->spawn(troupe::registry,
                             registry_options{status_patience, {}, book});
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
  g.session.nodes = book;
  g.session.desk = desk;
  g.session.cache = cache;
  g.session.profiler = profiler;
  g.session.prefix_cache = options.prefix_cache;
  if (audit)
    g.session.audit = audit->sink();
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
  if (audit)
    h.audit = audit->sink();
  h.state_file = options.versions.state_file;
  h.log = options.versions.log;
  host = system->spawn<caf::detached>(version_host, std::move(h));
  auto m = model_manager_options{};
  desk = std::make_shared<version_desk>(std::move(first.versions));
  m.desk = desk;
  m.unix_offset = unix_offset();
  m.seed = std::random_device{}();
  m.host = host;
  if (audit)
    m.audit = audit->sink()->log;
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

} // namespace troupe
