#include "runtime/cluster/node_host.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <random>

#include "actors/decode_node.hpp"
#include "actors/node_agent.hpp"
#include "actors/prefill_node.hpp"
#include "actors/rank_hub.hpp"
#include "core/parallel/tensor_shard.hpp"
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

constexpr auto rank_interval = std::chrono::milliseconds{500};
constexpr auto rank_timeout = std::chrono::seconds{2};

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
    // It may have an agent begin.
    if (hub) {
      caf::anon_send_exit(hub, caf::exit_reason::user_shutdown);
      self->wait_for(hub);
    }
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
    hub = nullptr;
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
  result<void> open_ranks();
  void join();
  void lost_a_rank(const error& why);
  node_handles start_node(node_id id);
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
  std::vector<caf::actor> nodes; ///< the agent's, under the mutex until then
  node_address reached;          ///< where this process listens
  // With ranks of other processes.
  std::shared_ptr<outside_ranks> outside;
  rank_hub_actor hub;
  uint16_t ranks_port = 0;
  bool leaving = false;   ///< under the mutex
  node_agent_actor agent; ///< under the mutex; null until all ranks are there
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
  reached = {options.advertise.empty() ? options.listen.host
                                       : options.advertise,
             *bound};
  if (options.ranks_at)
    return open_ranks();
  if (auto ok = setup->prepare_ranks({options.plan}); !ok)
    return ok;
  join();
  return {};
}

// The agent keeps the node in the cluster from now on.
void node_host::impl::join() {
  auto a = node_agent_options{};
  auto& joins = a.agent.self;
  auto sample = setup->node(options.plan, 0, options.role);
  joins.name = options.name;
  joins.role = options.role;
  joins.model = fingerprint(*weights, options.runtime.activations,
                            options.runtime.tensor_ranks);
  joins.layout = setup->layout();
  joins.isa = isa_class;
  joins.threads = sample.threads;
  joins.blocks = sample.blocks;
  a.address = reached;
  a.registry = options.join;
  a.connector = dialer;
  a.agent.member.seed = random_seed();
  a.start_node = [this](node_id id) { return start_node(id); };
  a.news = [this](const agent_news& n) { hear(n); };
  auto guard = std::lock_guard{mutex};
  if (leaving)
    return;
  agent = system->spawn(node_agent, std::move(a));
}

node_handles node_host::impl::start_node(node_id id) {
  auto n = outside ? setup->node(options.plan, id, options.role)
                   : setup->start_node(*system, options.plan, id, options.role);
  if (outside)
    n.ranks = outside->renew();
  auto h = node_handles{};
  if (options.role == node_role::prefill)
    h.prefill = system->spawn<caf::detached>(prefill_node, std::move(n));
  else
    h.decode = system->spawn<caf::detached>(decode_node, std::move(n));
  auto guard = std::lock_guard{mutex};
  // The one before is gone: a stay begins when the last has ended.
  nodes.assign(1, h.decode ? caf::actor_cast<caf::actor>(h.decode)
                           : caf::actor_cast<caf::actor>(h.prefill));
  return h;
}

// -- ranks of other processes -------------------------------------------------

result<void> node_host::impl::open_ranks() {
  auto [kind, n] = ranks_of(options.runtime, options.plan);
  if (n < 2)
    return fail(errc::invalid_argument,
                "a node that waits for ranks needs to have some: tensor_ranks "
                "or sequence_ranks must be at least 2");
  auto heads = kv_heads_of(*weights, kind, n);
  if (!heads)
    return heads.failure();
  auto mine = weights;
  if (kind == rank_kind::tensor) {
    auto shard = load_shard(weights, n, 0);
    if (!shard)
      return shard.failure();
    mine = std::move(*shard);
  }
  auto sample = setup->node(options.plan, 0, options.role);
  outside = std::make_shared<outside_ranks>(kind, std::move(mine),
                                            std::move(*heads), random_seed());
  auto h = rank_hub_options{};
  h.ranks = outside;
  h.fingerprint = fingerprint(*weights, options.runtime.activations);
  h.isa = isa_class;
  h.seat.kind = kind;
  h.seat.max_tokens = limits_of(sample).most_tokens();
  h.seat.kv = setup->layout().dtype;
  h.seat.interval_ns = duration{rank_interval}.count();
  h.seat.timeout_ns = duration{rank_timeout}.count();
  h.full = [this] { join(); };
  h.lost = [this](const error& why) { lost_a_rank(why); };
  h.news = [this](const std::string& what) {
    if (options.news)
      options.news(what, "");
  };
  hub = system->spawn(rank_hub, std::move(h));
  auto bound =
      transport->publish(hub, options.ranks_at->port, options.ranks_at->host);
  if (!bound)
    return bound.failure();
  ranks_port = *bound;
  return {};
}

// The node ends with its stay; another begins when all ranks are there again.
void node_host::impl::lost_a_rank(const error&) {
  auto guard = std::lock_guard{mutex};
  if (agent)
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
  agent = nullptr;
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
  if (options.name.empty())
    options.name = default_name();
  auto p = std::make_unique<impl>(std::move(options));
  auto loaded = load_model(p->options.runtime.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  if (auto ok = p->start(); !ok)
    return ok.failure();
  return node_host{std::move(p)};
}

uint16_t node_host::ranks_port() const {
  return impl_->ranks_port;
}

void node_host::leave() {
  auto guard = std::lock_guard{impl_->mutex};
  impl_->leaving = true;
  if (impl_->agent) {
    caf::anon_send(impl_->agent, leave_cluster{});
    return;
  }
  impl_->over = true;
  impl_->changed.notify_all();
}

result<void> node_host::wait() {
  auto guard = std::unique_lock{impl_->mutex};
  impl_->changed.wait(guard, [this] { return impl_->over; });
  if (impl_->refused)
    return impl_->refused;
  return {};
}

} // namespace troupe
