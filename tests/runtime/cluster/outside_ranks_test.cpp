// Nodes whose ranks are hosts of their own, which join over real sockets.

#include "runtime/cluster/shard_host.hpp"
#include "tests/runtime/cluster/cluster_fixture.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct fixture : cluster_fixture {
  using cluster_fixture::cluster_fixture;

  shard_host_options shard_options(const node_host& of) const {
    auto o = shard_host_options{};
    o.model = dir.file("tiny.gguf");
    o.threads = 1;
    o.join = {"127.0.0.1", of.ranks_port()};
    o.tls = node_tls;
    return o;
  }

  void add_shard(const node_host& of) {
    auto h = shard_host::start(shard_options(of));
    require_ok(h);
    shards.emplace_back(std::move(*h));
  }

  void add_waiting(const std::string& name, node_role role,
                   uint32_t sequence_ranks = 1) {
    auto o = node(name, role);
    o.ranks_at = {"127.0.0.1", 0};
    o.plan.sequence_ranks = sequence_ranks;
    auto h = node_host::start(std::move(o));
    require_ok(h);
    hosts.emplace_back(std::move(*h));
  }

  // Ends before their nodes.
  std::vector<shard_host> shards;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_outside_ranks)

BOOST_AUTO_TEST_CASE(tokens_are_those_of_ranks_that_are_threads) {
  auto f = fixture{true, 2};
  f.add_waiting("red", node_role::prefill);
  f.add_waiting("blue", node_role::decode);
  f.add_shard(f.hosts[0]);
  BOOST_REQUIRE(f.has_nodes(1));
  f.add_shard(f.hosts[1]);
  f.add("green", node_role::decode); // its ranks are threads
  BOOST_REQUIRE(f.has_nodes(3));
  auto all = f.submit(*f.front, 6, 40);
  f.expect_exact(all, 40);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(sequence_ranks_give_the_tokens_of_one) {
  auto f = fixture{};
  f.add_waiting("red", node_role::prefill, 2);
  f.add("blue", node_role::decode);
  f.add_shard(f.hosts[0]);
  BOOST_REQUIRE(f.has_nodes(2));
  auto all = f.submit(*f.front, 6, 40);
  f.expect_exact(all, 40);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(a_node_that_lost_a_rank_begins_anew_with_another) {
  auto f = fixture{false, 2};
  f.add_waiting("red", node_role::mixed);
  f.add_shard(f.hosts[0]);
  f.add("blue", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(2));
  auto all = f.submit(*f.front, 6, 80);
  auto begun = std::vector<std::vector<token_id>>{};
  for (auto& g : all) {
    auto first = g.next();
    BOOST_REQUIRE(first && std::holds_alternative<token_event>(*first));
    begun.push_back(std::get<token_event>(*first).tokens);
  }
  f.shards.clear();
  f.expect_exact(all, 80, begun);
  BOOST_REQUIRE(f.has_nodes(1));
  BOOST_TEST(f.comes_to_rest());
  f.add_shard(f.hosts[0]);
  BOOST_REQUIRE(f.has_nodes(2));
  auto more = f.submit(*f.front, 4, 20);
  f.expect_exact(more, 20);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_rank_is_refused) {
  auto f = fixture{false, 2};
  f.add_waiting("red", node_role::mixed);
  auto o = f.shard_options(f.hosts[0]);
  o.activations = activation_type::i16;
  auto h = shard_host::start(o);
  require_ok(h);
  auto end = h->wait();
  BOOST_REQUIRE(!end.ok());
  BOOST_TEST(end.failure().message.find(":i16, rank 0 ") != std::string::npos,
             end.failure().message);
  // Nobody's rank: it tries until it is told to leave.
  auto lonely = f.shard_options(f.hosts[0]);
  lonely.join.port = 1;
  auto l = shard_host::start(lonely);
  require_ok(l);
  l->leave();
  require_ok(l->wait());
  // One node waits for no ranks, the other never gets them.
  auto alone = f.node("blue", node_role::mixed);
  alone.runtime.tensor_ranks = 1;
  alone.ranks_at = {"127.0.0.1", 0};
  auto refused = node_host::start(std::move(alone));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.failure().code == errc::invalid_argument));
  f.hosts[0].leave();
  require_ok(f.hosts[0].wait());
}

BOOST_AUTO_TEST_CASE(a_cluster_has_nodes_of_as_many_tensor_ranks) {
  auto f = fixture{false, 2};
  auto o = f.node("red", node_role::mixed);
  o.runtime.tensor_ranks = 1;
  auto h = node_host::start(std::move(o));
  require_ok(h);
  auto end = h->wait();
  BOOST_REQUIRE(!end.ok());
  BOOST_TEST(end.failure().message.find(":i8:2") != std::string::npos,
             end.failure().message);
}

BOOST_AUTO_TEST_SUITE_END()
