#include <boost/test/unit_test.hpp>

#include "actors/decode_node.hpp"
#include "actors/error.hpp"
#include "actors/node_agent.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "core/base/random.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// Nodes that join, fall silent, die, are drained and come back, with the
// registry's real behaviour: their clients must not notice.

namespace {

constexpr auto tiny_isa = "test";

// Stands in for the connection from a node to the registry: what comes while
// it is cut is lost.
caf::behavior pass_on(caf::event_based_actor* self,
                      caf::strong_actor_ptr target,
                      std::shared_ptr<bool> open) {
  self->set_default_handler(
      [=](caf::scheduled_actor*,
          caf::message_view& m) -> caf::result<caf::message> {
        if (*open)
          target->enqueue(self->current_sender(), self->current_message_id(),
                          m.move_content_to_message(), self->context());
        return caf::delegated<caf::message>{};
      });
  return {[](caf::unit_t) {}};
}

struct front {
  registry_actor registry;
  gateway_actor gateway;
  std::vector<node_address> peers; ///< that were dialed
  bool peers_answer = true;
};

connector_actor::behavior_type fake_connector(connector_actor::pointer,
                                              std::shared_ptr<front> where) {
  return {
      [=](const dial_registry&) -> caf::result<registry_found> {
        if (!where->registry)
          return to_caf({errc::io_error, "nobody listens there"});
        return registry_found{where->registry, where->gateway};
      },
      [=](const dial_peer& m) -> caf::result<peer_reached> {
        where->peers.push_back(m.at);
        if (!where->peers_answer)
          return to_caf({errc::io_error, "nobody listens there"});
        return peer_reached{};
      },
  };
}

struct world {
  explicit world(uint64_t seed = 0) : sim(seed) {
    start_front();
    client = sim.spawn(fake_client, heard);
  }

  ~world() { sim.end(); }

  void start_front() {
    auto m = membership_options{};
    m.cluster = {"model", tiny_arena()->layout(), tiny_isa};
    m.life = ++lives;
    reg = sim.spawn(registry, registry_options{2000ms, m});
    auto g = gateway_options{};
    g.registry = reg;
    g.vocab = shared_tiny_model()->params.vocab;
    g.context = shared_tiny_model()->params.context;
    gate = sim.spawn(gateway, g);
    sim.run();
  }

  struct host {
    std::string name;
    node_agent_actor agent;
    std::shared_ptr<front> way = std::make_shared<front>();
    std::shared_ptr<bool> open = std::make_shared<bool>(true);
    std::shared_ptr<std::vector<agent_news>> news =
        std::make_shared<std::vector<agent_news>>();
    std::shared_ptr<caf::actor> node = std::make_shared<caf::actor>();

    size_t heard(agent_news::kind k) const {
      return static_cast<size_t>(std::count_if(
          news->begin(), news->end(), [&](auto& n) { return n.what == k; }));
    }
  };

  // The way to the front, as it is now.
  void connect(host& h) {
    auto link =
        sim.spawn(pass_on, caf::actor_cast<caf::strong_actor_ptr>(reg), h.open);
    h.way->registry = caf::actor_cast<registry_actor>(link);
    h.way->gateway = gate;
    links.push_back(link);
  }

  host& add(const std::string& name, node_role role,
            const std::string& model = "model") {
    auto& h = hosts.emplace_back();
    h.name = name;
    connect(h);
    auto o = node_agent_options{};
    o.agent.self.name = name;
    o.agent.self.role = role;
    o.agent.self.model = model;
    o.agent.self.layout = tiny_arena()->layout();
    o.agent.self.isa = tiny_isa;
    o.agent.self.threads = 1;
    o.agent.self.blocks = 64;
    o.agent.member.seed = hosts.size() * 1000;
    o.address = {name, 7};
    o.connector = sim.spawn(fake_connector, h.way);
    o.news = [news = h.news](const agent_news& n) { news->push_back(n); };
    o.start_node = [this, role, node = h.node](node_id id) {
      auto n = tiny_node(id, tiny_arena(), 64, {});
      n.role = role;
      auto handles = node_handles{};
      if (role == node_role::prefill) {
        handles.prefill = sim.spawn(prefill_node, n);
        *node = caf::actor_cast<caf::actor>(handles.prefill);
      } else {
        handles.decode = sim.spawn(decode_node, n);
        *node = caf::actor_cast<caf::actor>(handles.decode);
      }
      return handles;
    };
    h.agent = sim.spawn(node_agent, o);
    return h;
  }

  void submit(uint32_t n, uint32_t tokens = 30) {
    caf::anon_send(gate, troupe::submit{varied_request(n, tokens), client});
  }

  void expect_exact(uint32_t n, uint32_t tokens = 30) {
    auto& e = heard->end(1000 + n);
    BOOST_REQUIRE_MESSAGE(e.reason == finish_reason::length,
                          to_string(e.code) << ": " << e.message);
    auto expected = plain_answer(varied_request(n, tokens));
    BOOST_TEST(heard->answers[1000 + n].tokens == expected,
               boost::test_tools::per_element());
  }

  cluster_status status() {
    return sim.ask<cluster_status>(reg, status_query{});
  }

  void expect_idle(size_t nodes) {
    sim.drain(10s);
    auto s = status();
    BOOST_TEST(s.nodes.size() == nodes);
    BOOST_TEST(s.requests == 0u);
    for (auto& n : s.nodes)
      expect_empty(n);
  }

  sim_system sim;
  uint64_t lives = 0;
  registry_actor reg;
  gateway_actor gate;
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  client_actor client;
  std::deque<host> hosts;
  std::vector<caf::actor> links;
};

using news = agent_news::kind;

} // namespace

BOOST_AUTO_TEST_SUITE(node_agents)

BOOST_AUTO_TEST_CASE(nodes_join_and_serve) {
  auto w = world{};
  w.add("red", node_role::prefill);
  w.add("blue", node_role::decode);
  w.sim.drain(2s);
  auto s = w.status();
  BOOST_REQUIRE_EQUAL(s.nodes.size(), 2u);
  BOOST_TEST(s.nodes[0].name != s.nodes[1].name);
  for (uint32_t n = 0; n < 4; ++n)
    w.submit(n);
  w.expect_idle(2);
  for (uint32_t n = 0; n < 4; ++n)
    w.expect_exact(n);
  for (auto& h : w.hosts)
    BOOST_TEST(h.heard(news::fenced) == 0u);
}

BOOST_AUTO_TEST_CASE(another_model_is_refused_with_the_reason) {
  auto w = world{};
  auto& h = w.add("red", node_role::mixed, "other");
  w.sim.drain(2s);
  BOOST_TEST(w.status().nodes.empty());
  BOOST_REQUIRE(h.heard(news::refused) == 1u);
  BOOST_TEST(h.news->back().reason.find("other") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_newcomer_connects_to_those_who_are_there) {
  auto w = world{};
  auto dialed = [](const world::host& h) {
    auto names = std::vector<std::string>{};
    for (auto& at : h.way->peers)
      names.push_back(at.host);
    std::sort(names.begin(), names.end());
    return names;
  };
  using names = std::vector<std::string>;
  auto& red = w.add("red", node_role::mixed);
  w.sim.drain(1s);
  auto& blue = w.add("blue", node_role::mixed);
  w.sim.drain(1s);
  BOOST_TEST(dialed(red).empty());
  BOOST_TEST(dialed(blue) == names{"red"}, boost::test_tools::per_element());
  // Started anew before anybody knows that the former one is gone: it must not
  // dial itself.
  *blue.open = false;
  auto& again = w.add("blue", node_role::mixed);
  again.way->peers_answer = false;
  w.sim.drain(1s);
  BOOST_TEST(dialed(again) == names{"red"}, boost::test_tools::per_element());
  BOOST_TEST(again.heard(news::peer_unreachable) == 1u);
  BOOST_TEST(again.heard(news::ready) == 1u);
  w.submit(1);
  w.expect_idle(2);
  w.expect_exact(1);
}

BOOST_AUTO_TEST_CASE(requests_of_a_node_that_falls_silent_go_on_elsewhere) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    auto w = world{seed};
    w.add("red", node_role::mixed);
    w.add("blue", node_role::mixed);
    w.sim.drain(1s);
    for (uint32_t n = 0; n < 6; ++n)
      w.submit(n, 60);
    w.sim.run(60 + seed * 20);
    auto& h = w.hosts[seed % 2];
    auto former = *h.node;
    *h.open = false;
    w.sim.drain(5s);
    for (uint32_t n = 0; n < 6; ++n)
      w.expect_exact(n, 60);
    BOOST_TEST(h.heard(news::fenced) == 1u);
    BOOST_TEST(w.status().nodes.size() == 1u);
    *h.open = true;
    w.sim.drain(5s);
    BOOST_TEST(h.heard(news::ready) == 2u);
    BOOST_TEST((former != *h.node));
    w.submit(7);
    w.expect_idle(2);
    w.expect_exact(7);
  }
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_is_started_again) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    auto w = world{seed};
    w.add("red", node_role::mixed);
    w.add("blue", node_role::mixed);
    w.sim.drain(1s);
    for (uint32_t n = 0; n < 6; ++n)
      w.submit(n);
    for (auto i = 0u; i < 3; ++i) {
      w.sim.run(40);
      w.sim.kill(*w.hosts[random_bits(seed, i) % 2].node);
      w.sim.drain(4s);
    }
    w.expect_idle(2);
    for (uint32_t n = 0; n < 6; ++n)
      w.expect_exact(n);
  }
}

BOOST_AUTO_TEST_CASE(a_drained_node_leaves_and_the_last_one_stays) {
  for (auto own : {false, true})
    for (auto k = 0; k < 100; k += 20) {
      auto w = world{};
      w.add("red", node_role::mixed);
      w.add("blue", node_role::mixed);
      w.sim.drain(1s);
      for (uint32_t n = 0; n < 6; ++n)
        w.submit(n);
      w.sim.run(k);
      auto& red = w.hosts[0];
      if (own)
        caf::anon_send(red.agent, leave_cluster{});
      else
        w.sim.ask<drained>(w.reg, drain_request{0, "red"});
      w.expect_idle(1);
      BOOST_TEST(red.heard(news::left) == 1u);
      BOOST_TEST(red.heard(news::fenced) == 0u);
      for (uint32_t n = 0; n < 6; ++n)
        w.expect_exact(n);
      auto no =
          from_caf(w.sim.ask_error<drained>(w.reg, drain_request{0, "blue"}));
      BOOST_TEST((no.code == errc::no_node));
      auto unknown =
          from_caf(w.sim.ask_error<drained>(w.reg, drain_request{0, "green"}));
      BOOST_TEST((unknown.code == errc::no_node));
    }
}

BOOST_AUTO_TEST_CASE(nodes_join_a_front_that_was_started_anew) {
  auto w = world{};
  w.add("red", node_role::mixed);
  w.add("blue", node_role::mixed);
  w.sim.drain(1s);
  w.submit(0, 200);
  w.sim.run(60);
  for (auto& h : w.hosts)
    h.way->registry = registry_actor{};
  for (auto& l : w.links)
    w.sim.kill(l);
  w.sim.kill(w.gate);
  w.sim.kill(w.reg);
  w.sim.drain(3s);
  BOOST_TEST((w.heard->end(1000).code == errc::abandoned));
  for (auto& h : w.hosts)
    BOOST_TEST(h.heard(news::unreachable) > 0u);
  w.start_front();
  for (auto& h : w.hosts)
    w.connect(h);
  w.sim.drain(5s);
  w.submit(1);
  w.expect_idle(2);
  w.expect_exact(1);
}

BOOST_AUTO_TEST_CASE(without_any_node_there_is_an_error) {
  auto w = world{};
  w.submit(0);
  w.sim.drain(1s);
  BOOST_TEST((w.heard->end(1000).code == errc::no_node));
}

BOOST_AUTO_TEST_SUITE_END()
