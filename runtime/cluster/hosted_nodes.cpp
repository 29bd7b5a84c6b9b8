#include "runtime/cluster/hosted_nodes.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <mutex>

#include "actors/error.hpp"
#include "actors/observed.hpp"
#include "actors/owed_reply.hpp"
#include "actors/protocol/add_message_types.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/cluster/let_go.hpp"

namespace troupe {

namespace {

constexpr auto spawn_patience = std::chrono::seconds{10};
/// How long a node that could not be started, or may not join, is there to say
/// so.
constexpr auto linger = std::chrono::seconds{10};
constexpr auto most_threads = uint32_t{256};
constexpr auto most_blocks = uint32_t{1} << 24;

// An order comes from elsewhere.
bool is_sane(const node_order& o) {
  return !o.name.empty() && o.role < node_role::store
         && o.threads <= most_threads && o.blocks <= most_blocks;
}

// A node and those who wait for it. Detached: it loads a model, and ends with
// its node's last step.
class hosted_node_state {
public:
  static constexpr const char* name = "hosted_node";

  hosted_node_state() = default;

  void start(caf::actor_system& system, cluster_transport& transport,
             node_member_options options) {
    if (member_)
      return;
    auto m = node_member::start(system, transport, std::move(options));
    if (m)
      member_.emplace(std::move(*m));
    else
      failed(m.failure());
  }

  void await(owed_reply<node_joined> reply) {
    if (failure_) {
      reply.fail(failure_);
      told_ = true;
    } else if (node_ != 0) {
      reply.deliver({node_});
    } else {
      waiting_.push_back(std::move(reply));
    }
  }

  void on(const agent_news& n) {
    if (n.what == agent_news::kind::ready) {
      node_ = n.node;
      for (auto& reply : waiting_)
        reply.deliver({node_});
      waiting_.clear();
    } else if (n.what == agent_news::kind::fenced) {
      node_ = 0;
    } else if (n.what == agent_news::kind::refused
               || n.what == agent_news::kind::left) {
      // Who had it leave need not be told.
      told_ = told_ || n.what == agent_news::kind::left;
      failed({errc::unsupported, n.reason.empty() ? "it has left" : n.reason});
    }
  }

  void leave() {
    if (member_)
      member_->leave();
  }

  bool over() const { return static_cast<bool>(failure_); }
  /// Somebody knows why.
  bool told() const { return told_; }

private:
  void failed(error why) {
    failure_ = std::move(why);
    told_ = told_ || !waiting_.empty();
    for (auto& reply : waiting_)
      reply.fail(failure_);
    waiting_.clear();
  }

  node_id node_ = 0; ///< 0: it is not in the cluster
  error failure_;
  bool told_ = false;
  std::vector<owed_reply<node_joined>> waiting_;
  std::optional<node_member> member_;
};

static_assert(!std::is_aggregate_v<hosted_node_state>);

using hosted_node_pointer = actor_pointer<hosted_node_actor, hosted_node_state>;

hosted_node_actor::behavior_type hosted_node(hosted_node_pointer self,
                                             cluster_transport* transport,
                                             node_member_options options) {
  // Weak: the node's agent holds it, and is ended by this actor.
  options.on_news =
      [to = caf::actor_addr{self->address()}](const agent_news& n) {
        if (auto at = caf::actor_cast<caf::actor>(to))
          caf::anon_send(at, n);
      };
  self->send(self, deadline_tick{});
  auto quit_if_over = [=] {
    if (!self->state.over())
      return;
    if (self->state.told())
      self->quit();
    else
      self->delayed_send(self, linger, deadline_tick{});
  };
  return {
      [=](const await_node&) -> caf::result<node_joined> {
        auto promise = self->make_response_promise<node_joined>();
        self->state.await(owed_reply<node_joined>{promise});
        if (self->state.over())
          self->quit();
        return promise;
      },
      [=](const leave_cluster&) { self->state.leave(); },
      [=](const agent_news& n) {
        self->state.on(n);
        quit_if_over();
      },
      [=](const deadline_tick&) {
        if (self->state.over())
          return self->quit();
        self->state.start(self->system(), *transport, options);
        quit_if_over();
      },
  };
}

} // namespace

struct hosted_nodes::impl : std::enable_shared_from_this<impl> {
  explicit impl(hosted_nodes_options o) : options(std::move(o)) {}

  caf::actor_factory_result start(caf::actor_system& system,
                                  caf::message& args) {
    if (!args.match_elements<node_order>())
      return {};
    auto& order = args.get_as<node_order>(0);
    auto node = hosted_node_actor{};
    {
      auto guard = std::lock_guard{mutex};
      if (!transport || nodes.size() >= options.most || !is_sane(order))
        return {};
      node = system.spawn<caf::detached>(hosted_node, transport,
                                         member_options(order));
      nodes.push_back(node);
    }
    // Outside the lock: called at once if it has ended already.
    node->attach_functor([keep = weak_from_this(), at = node.address()] {
      if (auto all = keep.lock()) {
        auto guard = std::lock_guard{all->mutex};
        std::erase_if(all->nodes, [&](auto& n) { return n == at; });
      }
    });
    return {caf::actor_cast<caf::strong_actor_ptr>(node),
            system.message_types(node)};
  }

  node_member_options member_options(const node_order& order) const {
    auto o = node_member_options{};
    o.runtime = options.runtime;
    if (order.threads > 0)
      o.runtime.threads = order.threads;
    o.role = order.role;
    o.plan.blocks = order.blocks;
    o.name = order.name;
    o.join = order.join;
    o.listen = {options.listen, 0};
    o.advertise = options.advertise;
    return o;
  }

  hosted_nodes_options options;
  std::mutex mutex;
  caf::actor_system* system = nullptr;    ///< null: not open
  cluster_transport* transport = nullptr; ///< null: not open
  std::vector<hosted_node_actor> nodes;   ///< that have not ended
  beacon_actor light;
  uint16_t port = 0;
};

hosted_nodes::hosted_nodes(hosted_nodes_options options)
    : impl_(std::make_shared<impl>(std::move(options))) {}
hosted_nodes::hosted_nodes(hosted_nodes&&) noexcept = default;

hosted_nodes& hosted_nodes::operator=(hosted_nodes&& other) noexcept {
  if (this != &other) {
    close();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

hosted_nodes::~hosted_nodes() {
  close();
}

void hosted_nodes::configure(caf::actor_system_config& config) {
  add_message_types(config);
  cluster_transport::configure(config);
  config.add_actor_factory(
      actor_name, [shared = impl_](caf::actor_config& c, caf::message& args) {
        return shared->start(c.host->system(), args);
      });
}

result<uint16_t> hosted_nodes::open(caf::actor_system& system,
                                    cluster_transport& transport,
                                    uint16_t port) {
  auto light = system.spawn(beacon, peer_reached{});
  auto bound = transport.publish(light, port, impl_->options.listen);
  if (!bound) {
    caf::anon_send_exit(light, caf::exit_reason::user_shutdown);
    return bound;
  }
  auto guard = std::lock_guard{impl_->mutex};
  impl_->system = &system;
  impl_->transport = &transport;
  impl_->light = light;
  impl_->port = *bound;
  return bound;
}

void hosted_nodes::close() {
  if (!impl_ || !impl_->system)
    return;
  auto nodes = std::vector<hosted_node_actor>{};
  {
    auto guard = std::lock_guard{impl_->mutex};
    impl_->transport->close(impl_->port);
    impl_->transport = nullptr;
    nodes = std::exchange(impl_->nodes, {});
  }
  auto self = caf::scoped_actor{*impl_->system, true};
  for (auto& n : nodes) {
    self->send_exit(n, caf::exit_reason::user_shutdown);
    self->wait_for(n);
    let_go(n);
  }
  caf::anon_send_exit(impl_->light, caf::exit_reason::user_shutdown);
  impl_->light = nullptr;
  impl_->system = nullptr;
}

result<hosted_node_actor> order_node(caf::actor_system& system,
                                     cluster_transport& transport,
                                     const node_address& at,
                                     const node_order& order) {
  auto there = transport.connect<beacon_actor>(at.host, at.port);
  if (!there)
    return there.failure();
  auto args = caf::make_message(order);
  // CAF's way to other processes leads nowhere in one's own.
  auto node = there->node() == system.node()
                  ? system.spawn<hosted_node_actor>(hosted_nodes::actor_name,
                                                    std::move(args))
                  : system.middleman().remote_spawn<hosted_node_actor>(
                      there->node(), hosted_nodes::actor_name, std::move(args),
                      spawn_patience);
  if (!node)
    return fail(errc::unsupported, to_string(at) + " starts no node: "
                                       + system.render(node.error()));
  return *node;
}

} // namespace troupe
