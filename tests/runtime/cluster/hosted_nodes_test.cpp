#include "runtime/cluster/hosted_nodes.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "actors/error.hpp"
#include "runtime/cluster/connector.hpp"
#include "tests/runtime/cluster/cluster_fixture.hpp"
#include "tests/support/core/comes.hpp"

using namespace troupe;
using namespace troupe::test;

// Nodes in actor systems that are not Troupe's, ordered from elsewhere.

namespace {

constexpr auto patience = std::chrono::seconds{20};

/// A program that has an actor system of its own.
struct host {
  host(const cluster_fixture& f, uint32_t most)
      : host(f, {f.options(), "127.0.0.1", {}, most}) {}

  host(const cluster_fixture& f, hosted_nodes_options o) : nodes(std::move(o)) {
    nodes.configure(config);
    system = std::make_unique<caf::actor_system>(config);
    auto t = transport_options{};
    t.tls = f.node_tls;
    auto started = cluster_transport::start(*system, std::move(t));
    require_ok(started);
    transport = std::move(*started);
    auto bound = nodes.open(*system, *transport, 0);
    require_ok(bound);
    at = {"127.0.0.1", *bound};
  }

  ~host() { nodes.close(); }

  hosted_nodes nodes;
  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<cluster_transport> transport;
  node_address at;
};

struct fixture : cluster_fixture {
  using cluster_fixture::cluster_fixture;

  node_order order(const std::string& name, node_role role) const {
    auto o = node_order{};
    o.name = name;
    o.role = role;
    o.join = {"127.0.0.1", front->cluster_port()};
    return o;
  }
};

result<node_joined> joined(caf::actor_system& system,
                           const hosted_node_actor& node) {
  auto answer = result<node_joined>{node_joined{}};
  auto self = caf::scoped_actor{system};
  self->request(node, patience, await_node{})
      .receive([&](const node_joined& j) { answer = j; },
               [&](const caf::error& e) { answer = from_caf(e); });
  return answer;
}

bool ends(caf::actor_system& system, const hosted_node_actor& node) {
  auto self = caf::scoped_actor{system};
  self->monitor(node);
  auto down = false;
  self->receive([&](const caf::down_msg&) { down = true; },
                caf::after(patience) >> [] {});
  return down;
}

} // namespace

BOOST_AUTO_TEST_SUITE(hosted_nodes_of_others)

BOOST_AUTO_TEST_CASE(a_host_takes_nodes_that_are_ordered_from_elsewhere) {
  auto f = fixture{true};
  auto one = host{f, 4};
  auto two = host{f, 4};
  auto operator_ = host{f, 0};
  auto start = [&](const host& h, const char* name, node_role role) {
    auto n = order_node(*operator_.system, *operator_.transport, h.at,
                        f.order(name, role));
    require_ok(n);
    BOOST_TEST((n->node() != operator_.system->node()));
    require_ok(joined(*operator_.system, *n));
    return *n;
  };
  auto red = start(one, "red", node_role::prefill);
  auto blue = start(one, "blue", node_role::decode);
  auto green = start(two, "green", node_role::decode);
  BOOST_REQUIRE(f.has_nodes(3));
  auto all = f.submit(*f.front, 6, 60);
  f.expect_exact(all, 60);
  caf::anon_send(green, leave_cluster{});
  BOOST_TEST(ends(*operator_.system, green));
  BOOST_REQUIRE(f.has_nodes(2));
  auto more = f.submit(*f.front, 4, 30);
  f.expect_exact(more, 30);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(a_host_can_order_from_itself_and_end_with_its_nodes) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(1));
  auto all = std::vector<generation>{};
  {
    auto h = host{f, 1};
    auto blue = order_node(*h.system, *h.transport, h.at,
                           f.order("blue", node_role::mixed));
    require_ok(blue);
    require_ok(joined(*h.system, *blue));
    auto full = order_node(*h.system, *h.transport, h.at,
                           f.order("green", node_role::mixed));
    BOOST_REQUIRE(!full.ok());
    BOOST_TEST((full.failure().code == errc::unsupported));
    BOOST_REQUIRE(f.has_nodes(2));
    all = f.submit(*f.front, 8, 200);
  }
  f.expect_exact(all, 200);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(whoever_may_not_join_is_told_why) {
  auto f = fixture{};
  auto other = hosted_nodes_options{};
  other.runtime = f.options();
  other.runtime.activations = activation_type::i16;
  auto h = host{f, std::move(other)};
  auto node = order_node(*h.system, *h.transport, h.at,
                         f.order("red", node_role::mixed));
  require_ok(node);
  auto refused = joined(*h.system, *node);
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.failure().message.find(":i16") != std::string::npos,
             refused.failure().message);
  // It has gone then, and makes room.
  auto again = [&](const node_order& o) {
    auto how = result<node_joined>{fail(errc::timeout, "there is no room")};
    testing::comes([&] {
      auto n = order_node(*h.system, *h.transport, h.at, o);
      if (n)
        how = joined(*h.system, *n);
      return n.ok();
    });
    return how;
  };
  refused = again(f.order("blue", node_role::mixed));
  BOOST_TEST((refused.failure().code == errc::unsupported));
  // Orders that make no sense start nothing.
  auto bad = f.order("green", node_role::mixed);
  bad.threads = ~0u;
  BOOST_TEST(!order_node(*h.system, *h.transport, h.at, bad).ok());
  bad = f.order("", node_role::mixed);
  BOOST_TEST(!order_node(*h.system, *h.transport, h.at, bad).ok());
  // One that takes no orders.
  auto nobody = order_node(*h.system, *h.transport,
                           {"127.0.0.1", f.front->cluster_port()},
                           f.order("blue", node_role::mixed));
  BOOST_TEST(!nobody.ok());
}

// It may have ended before anybody asks, or while it is being ordered.
BOOST_AUTO_TEST_CASE(a_node_without_its_model_says_so) {
  auto f = fixture{};
  auto o = hosted_nodes_options{};
  o.runtime = f.options();
  o.runtime.model = f.dir.file("none.gguf");
  o.most = 20;
  auto h = host{f, std::move(o)};
  for (auto i = 0; i < 20; ++i) {
    auto node = order_node(*h.system, *h.transport, h.at,
                           f.order("red", node_role::mixed));
    require_ok(node);
    auto why = joined(*h.system, *node);
    BOOST_REQUIRE(!why.ok());
    BOOST_TEST(why.failure().message.find("none.gguf") != std::string::npos,
               why.failure().message);
  }
}

BOOST_AUTO_TEST_CASE(actors_of_a_host_talk_to_the_gateway) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(1));
  auto h = host{f, 0};
  auto found = find_registry(*h.system, *h.transport,
                             {"127.0.0.1", f.front->cluster_port()});
  require_ok(found);
  auto self = caf::scoped_actor{*h.system};
  auto tokens = std::vector<token_id>{};
  auto end = std::optional<finish_event>{};
  auto client = h.system->spawn(
      [&tokens](client_actor::pointer me, caf::actor to) {
        return client_actor::behavior_type{
            [&tokens](const token_event& e) {
              tokens.insert(tokens.end(), e.tokens.begin(), e.tokens.end());
            },
            [=](const finish_event& e) {
              caf::anon_send(to, e);
              me->quit();
            },
        };
      },
      caf::actor{self});
  self->request(found->gateway, patience, submit{request_of(3, 40), client})
      .receive([](const admitted&) {},
               [](const caf::error& e) { BOOST_FAIL(from_caf(e).message); });
  self->receive([&](const finish_event& e) { end = e; },
                caf::after(patience) >> [] {});
  BOOST_REQUIRE(end);
  BOOST_TEST((end->reason == finish_reason::length));
  auto plain = runtime::open(f.options());
  require_ok(plain);
  auto g = plain->submit(request_of(3, 40));
  require_ok(g);
  BOOST_TEST(tokens == collect(*g).tokens, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
