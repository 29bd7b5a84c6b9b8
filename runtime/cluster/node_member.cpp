#include "runtime/cluster/node_member.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <mutex>
#include <random>

#include "actors/decode_node.hpp"
#include "actors/node_agent.hpp"
#include "actors/prefill_node.hpp"
#include "actors/rank_hub.hpp"
#include "core/model/shared_model.hpp"
#include "core/parallel/tensor_shard.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/cluster/let_go.hpp"
#include "runtime/node_setup.hpp"

namespace troupe {

namespace {

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

struct node_member::impl {
  impl(caf::actor_system& s, cluster_transport& t, node_member_options o)
      : system(s), transport(t), options(std::move(o)) {}

  ~impl() {
    for (auto port : ports)
      transport.close(port);
    auto self = caf::scoped_actor{system, true};
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
  }

  result<void> start();
  result<uint16_t> open_port(const auto& actor, const node_address& at) {
    auto bound = transport.publish(actor, at.port, at.host);
    if (bound)
      ports.push_back(*bound);
    return bound;
  }
  result<void> open_ranks();
  void join();
  void lost_a_rank(const error& why);
  node_handles start_node(node_id id);

  caf::actor_system& system;
  cluster_transport& transport;
  node_member_options options;
  std::mutex mutex;
  std::shared_ptr<const model> weights;
  std::optional<node_setup> setup;
  std::vector<uint16_t> ports; ///< that are open
  connector_actor dialer;
  beacon_actor light;
  std::vector<caf::actor> nodes; ///< the agent's, under the mutex until then
  node_address reached;          ///< where others find this node
  // With ranks of other processes.
  std::shared_ptr<outside_ranks> outside;
  rank_hub_actor hub;
  uint16_t ranks_port = 0;
  bool leaving = false;   ///< under the mutex
  node_agent_actor agent; ///< under the mutex; null until all ranks are there
};

result<void> node_member::impl::start() {
  setup.emplace(options.runtime, weights);
  if (auto ok = setup->start_store(system); !ok)
    return ok.failure();
  dialer = system.spawn<caf::detached>(connector, &transport);
  light = system.spawn(beacon, peer_reached{});
  auto bound = open_port(light, options.listen);
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
void node_member::impl::join() {
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
  a.news = options.on_news;
  auto guard = std::lock_guard{mutex};
  if (leaving)
    return;
  agent = system.spawn(node_agent, std::move(a));
}

node_handles node_member::impl::start_node(node_id id) {
  auto n = outside ? setup->node(options.plan, id, options.role)
                   : setup->start_node(system, options.plan, id, options.role);
  if (outside)
    n.ranks = outside->renew();
  auto h = node_handles{};
  if (options.role == node_role::prefill)
    h.prefill = system.spawn<caf::detached>(prefill_node, std::move(n));
  else
    h.decode = system.spawn<caf::detached>(decode_node, std::move(n));
  auto guard = std::lock_guard{mutex};
  // The one before is gone: a stay begins when the last has ended.
  nodes.assign(1, h.decode ? caf::actor_cast<caf::actor>(h.decode)
                           : caf::actor_cast<caf::actor>(h.prefill));
  return h;
}

// -- ranks of other processes -------------------------------------------------

result<void> node_member::impl::open_ranks() {
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
    if (options.on_ranks)
      options.on_ranks(what);
  };
  hub = system.spawn(rank_hub, std::move(h));
  auto bound = open_port(hub, *options.ranks_at);
  if (!bound)
    return bound.failure();
  ranks_port = *bound;
  return {};
}

// The node ends with its stay; another begins when all ranks are there again.
void node_member::impl::lost_a_rank(const error&) {
  auto guard = std::lock_guard{mutex};
  if (agent)
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
  agent = nullptr;
}

// -----------------------------------------------------------------------------

node_member::node_member(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
node_member::node_member(node_member&&) noexcept = default;
node_member& node_member::operator=(node_member&&) noexcept = default;
node_member::~node_member() = default;

result<node_member> node_member::start(caf::actor_system& system,
                                       cluster_transport& transport,
                                       node_member_options options) {
  if (options.role == node_role::store)
    return fail(errc::invalid_argument, "a node prefills, decodes, or both");
  auto whole = completed(std::move(options.runtime));
  if (!whole)
    return whole.failure();
  options.runtime = std::move(*whole);
  if (options.name.empty())
    options.name = default_name();
  auto p = std::make_unique<impl>(system, transport, std::move(options));
  auto loaded = load_shared_model(p->options.runtime.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  if (auto ok = p->start(); !ok)
    return ok.failure();
  return node_member{std::move(p)};
}

uint16_t node_member::ranks_port() const {
  return impl_->ranks_port;
}

bool node_member::leave() {
  auto guard = std::lock_guard{impl_->mutex};
  impl_->leaving = true;
  if (impl_->agent)
    caf::anon_send(impl_->agent, leave_cluster{});
  return impl_->agent != nullptr;
}

} // namespace troupe
