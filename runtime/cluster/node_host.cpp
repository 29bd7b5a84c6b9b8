#include "runtime/cluster/node_host.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <random>

#include "actors/decode_node.hpp"
#include "actors/node_agent.hpp"
#include "actors/prefill_node.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/cluster/let_go.hpp"
#include "runtime/node_setup.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

namespace {

using news_kind = agent_news::kind;

const char* word_for(news_kind k) {
  switch (k) {
  case news_kind::unreachable:
    return "unreachable";
  case news_kind::ready:
    return "ready";
  case news_kind::peer_unreachable:
    return "peer unreachable";
  case news_kind::fenced:
    return "fenced";
  case news_kind::draining:
    return "draining";
  case news_kind::left:
    return "left";
  case news_kind::refused:
    return "refused";
  }
  return "";
}

uint64_t random_seed() {
  auto source = std::random_device{};
  return uint64_t{source()} << 32 | source();
}

// "HOST-PID"
std::string default_name() {
  char host[64] = {};
  ::gethostname(host, sizeof(host) - 1);
  auto name = std::string{};
  for (auto c : std::string{host}.substr(0, 48))
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return name + "-" + std::to_string(::getpid());
}

} // namespace

struct node_host::impl {
  explicit impl(node_host_options o) : options(std::move(o)) {}

  ~impl() {
    if (!system)
      return;
    auto self = caf::scoped_actor{*system, true};
    // Either uses what goes then.
    if (agent) {
      caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
      self->wait_for(agent);
    }
    if (setup && setup->store())
      caf::anon_send_exit(setup->store(), caf::exit_reason::user_shutdown);
    if (light)
      caf::anon_send_exit(light, caf::exit_reason::user_shutdown);
    if (dialer) {
      caf::anon_send_exit(dialer, caf::exit_reason::user_shutdown);
      self->wait_for(dialer);
    }
    agent = nullptr;
    light = nullptr;
    dialer = nullptr;
    setup.reset();
    for (auto& n : nodes) {
      self->wait_for(n);
      let_go(n);
    }
    nodes.clear();
    transport.reset();
  }

  result<void> start();
  void hear(const agent_news& n);

  node_host_options options;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  error refused;
  std::shared_ptr<const model> weights;
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::optional<node_setup> setup;
  std::unique_ptr<cluster_transport> transport;
  connector_actor dialer;
  beacon_actor light;
  std::vector<caf::actor> nodes; ///< the agent's, until it has ended
  node_agent_actor agent;
};

void node_host::impl::hear(const agent_news& n) {
  if (options.news)
    options.news(word_for(n.what), n.reason);
  if (n.what != news_kind::left && n.what != news_kind::refused)
    return;
  auto guard = std::lock_guard{mutex};
  over = true;
  if (n.what == news_kind::refused)
    refused = fail(errc::unsupported,
                   to_string(options.join) + " refused: " + n.reason);
  changed.notify_all();
}

result<void> node_host::impl::start() {
  cluster_transport::configure(config);
  system = std::make_unique<caf::actor_system>(config);
  setup.emplace(options.runtime, weights);
  if (auto ok = setup->start_store(*system); !ok)
    return ok.failure();
  auto t = transport_options{};
  t.tls = options.tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  dialer = system->spawn<caf::detached>(connector, transport.get());
  light = system->spawn(beacon, peer_reached{});
  auto bound =
      transport->publish(light, options.listen.port, options.listen.host);
  if (!bound)
    return bound.failure();
  auto a = node_agent_options{};
  auto& joins = a.agent.self;
  auto sample = setup->node(options.plan, 0, options.role);
  joins.name = options.name.empty() ? default_name() : options.name;
  joins.role = options.role;
  joins.model = fingerprint(*weights, options.runtime.activations);
  joins.layout = setup->layout();
  joins.isa = isa_class;
  joins.threads = sample.threads;
  joins.blocks = sample.blocks;
  a.address = {options.advertise.empty() ? options.listen.host
                                         : options.advertise,
               *bound};
  a.registry = options.join;
  a.connector = dialer;
  a.agent.member.seed = random_seed();
  a.start_node = [this](node_id id) {
    auto n = setup->node(options.plan, id, options.role);
    auto h = node_handles{};
    if (options.role == node_role::prefill)
      h.prefill = system->spawn<caf::detached>(prefill_node, std::move(n));
    else
      h.decode = system->spawn<caf::detached>(decode_node, std::move(n));
    // The one before is gone: a stay begins when the last has ended.
    nodes.assign(1, h.decode ? caf::actor_cast<caf::actor>(h.decode)
                             : caf::actor_cast<caf::actor>(h.prefill));
    return h;
  };
  a.news = [this](const agent_news& n) { hear(n); };
  agent = system->spawn(node_agent, std::move(a));
  return {};
}

node_host::node_host(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
node_host::node_host(node_host&&) noexcept = default;
node_host& node_host::operator=(node_host&&) noexcept = default;
node_host::~node_host() = default;

result<node_host> node_host::start(node_host_options options) {
  if (options.role == node_role::store)
    return fail(errc::invalid_argument, "a node prefills, decodes, or both");
  auto whole = completed(std::move(options.runtime));
  if (!whole)
    return whole.failure();
  options.runtime = std::move(*whole);
  auto p = std::make_unique<impl>(std::move(options));
  auto loaded = load_model(p->options.runtime.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  if (auto ok = p->start(); !ok)
    return ok.failure();
  return node_host{std::move(p)};
}

void node_host::leave() {
  caf::anon_send(impl_->agent, leave_cluster{});
}

result<void> node_host::wait() {
  auto guard = std::unique_lock{impl_->mutex};
  impl_->changed.wait(guard, [this] { return impl_->over; });
  if (impl_->refused)
    return impl_->refused;
  return {};
}

} // namespace troupe
