#include <future>

#include "tests/runtime/cluster/cluster_fixture.hpp"
#include "tests/support/core/comes.hpp"

using namespace troupe;
using namespace troupe::test;

// A cluster with real sockets and threads, its nodes in one process: whatever
// becomes of them, tokens are those of a runtime of its own.

using fixture = cluster_fixture;

BOOST_AUTO_TEST_SUITE(cluster_nodes)

BOOST_AUTO_TEST_CASE(nodes_of_both_roles_serve_over_tls) {
  auto f = fixture{true};
  f.add("red", node_role::prefill);
  f.add("blue", node_role::decode);
  f.add("green", node_role::decode);
  BOOST_REQUIRE(f.has_nodes(3));
  BOOST_TEST(f.names() == (std::vector<std::string>{"blue", "green", "red"}),
             boost::test_tools::per_element());
  auto all = f.submit(*f.front, 6, 40);
  f.expect_exact(all, 40);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(requests_of_a_node_that_ends_go_on_elsewhere) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  f.add("blue", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(2));
  auto all = f.submit(*f.front, 8, 200);
  auto begun = std::vector<std::vector<token_id>>{};
  for (auto& g : all) {
    auto first = g.next();
    BOOST_REQUIRE(first && std::holds_alternative<token_event>(*first));
    begun.push_back(std::get<token_event>(*first).tokens);
  }
  f.hosts.erase(f.hosts.begin());
  f.expect_exact(all, 200, begun);
  BOOST_TEST(f.comes_to_rest());
  f.add("red", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(2));
  auto more = f.submit(*f.front, 4, 30);
  f.expect_exact(more, 30);
}

BOOST_AUTO_TEST_CASE(a_drained_node_leaves) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  f.add("blue", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(2));
  auto all = f.submit(*f.front, 6, 200);
  auto d = f.front->drain("red");
  require_ok(d);
  f.expect_exact(all, 200);
  require_ok(f.hosts[0].wait());
  BOOST_TEST(f.names() == std::vector<std::string>{"blue"},
             boost::test_tools::per_element());
  auto no = f.front->drain("red");
  BOOST_REQUIRE(!no.ok());
  BOOST_TEST((no.failure().code == errc::no_node));
}

BOOST_AUTO_TEST_CASE(clients_of_other_processes_are_served) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(1));
  auto at = cluster_client_options{{"127.0.0.1", f.front->cluster_port()}, {}};
  auto o = f.options();
  o.client = at;
  auto remote = runtime::open(o);
  require_ok(remote);
  auto all = f.submit(*remote, 4, 50);
  f.expect_exact(all, 50);
  auto left = remote->submit(request_of(9, 2000));
  require_ok(left);
  { auto gone = std::move(*remote); }
  auto c = collect(*left);
  BOOST_TEST((c.end.code == errc::abandoned));
  BOOST_TEST(f.comes_to_rest());
  auto look = cluster_client::connect(at);
  require_ok(look);
  auto s = look->status();
  require_ok(s);
  BOOST_TEST(s->nodes.size() == 1u);
}

BOOST_AUTO_TEST_CASE(nodes_of_other_processes_serve_a_version_each) {
  auto f = fixture{};
  f.add("red", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(1));
  auto other = testing::tiny_model_options{};
  other.seed = 2;
  testing::write_tiny_model(f.dir.file("two.gguf"), other);
  auto blue = f.node("blue", node_role::mixed);
  blue.runtime.model = f.dir.file("two.gguf");
  // The front has no nodes of its own: the version waits for one to join.
  auto v = f.front->load_version("two", blue.runtime.model);
  require_ok(v);
  auto state_of = [&](version_id id) {
    auto s = f.front->versions();
    require_ok(s);
    for (auto& i : s->versions)
      if (i.version == id)
        return std::string{to_string(i.state)};
    return std::string{};
  };
  BOOST_REQUIRE(testing::comes([&] { return state_of(*v) == "warming"; }));
  auto h = node_host::start(blue);
  require_ok(h);
  BOOST_REQUIRE(f.has_nodes(2));
  BOOST_REQUIRE(testing::comes([&] { return state_of(*v) == "ready"; }));
  auto alone_with = f.options();
  alone_with.model = blue.runtime.model;
  auto alone = runtime::open(alone_with);
  require_ok(alone);
  for (uint64_t n = 0; n < 4; ++n) {
    auto r = request_of(n, 40);
    auto expected = alone->submit(r);
    require_ok(expected);
    r.version = *v;
    auto got = f.front->submit(r);
    require_ok(got);
    auto c = collect(*got);
    BOOST_TEST(c.end.version == *v);
    BOOST_TEST(c.tokens == collect(*expected).tokens,
               boost::test_tools::per_element());
  }
  auto all = f.submit(*f.front, 4, 40);
  f.expect_exact(all, 40);
  // With its version the node goes, and is told why.
  BOOST_REQUIRE(f.front->command(
      {version_command::kind::remove, *v, 0, "it is not needed"}));
  auto end = h->wait();
  BOOST_REQUIRE(!end.ok());
  BOOST_TEST(end.failure().message.find("model differs") != std::string::npos,
             end.failure().message);
  BOOST_REQUIRE(f.has_nodes(1));
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused_with_the_reason) {
  auto f = fixture{true};
  auto wrong = f.node("red", node_role::mixed);
  wrong.runtime.activations = activation_type::i16;
  auto h = node_host::start(std::move(wrong));
  require_ok(h);
  auto end = h->wait();
  BOOST_REQUIRE(!end.ok());
  BOOST_TEST(end.failure().message.find(":i16") != std::string::npos,
             end.failure().message);
  auto plain =
      cluster_client::connect({{"127.0.0.1", f.front->cluster_port()}, {}});
  BOOST_TEST(!plain.ok());
  auto nobody = cluster_client::connect({{"127.0.0.1", 1}, {}});
  BOOST_TEST(!nobody.ok());
}

BOOST_AUTO_TEST_CASE(texts_of_other_processes_are_embedded) {
  auto f = fixture{};
  f.add("red", node_role::prefill);
  f.add("blue", node_role::mixed);
  BOOST_REQUIRE(f.has_nodes(2));
  auto o = f.options();
  o.client = cluster_client_options{{"127.0.0.1", f.front->cluster_port()}, {}};
  auto remote = runtime::open(o);
  require_ok(remote);
  auto own = runtime::open(f.options());
  require_ok(own);
  auto r = embed_request{};
  for (uint32_t i = 0; i < 100; ++i)
    r.inputs.push_back(request_of(i, 1).prompt);
  auto want = own->embed(r).vectors;
  BOOST_TEST((remote->embed(r).vectors == want));
  BOOST_TEST((f.front->embed(r).vectors == want));
  // A node ends meanwhile.
  auto end = std::promise<finish_event>{};
  auto got = std::vector<std::vector<float>>(100);
  auto left = 30;
  auto some = std::promise<void>{};
  auto s = remote->embed(r, [&](embed_event e) {
    if (auto* v = std::get_if<embedding_event>(&e))
      got[v->index] = v->vector;
    else
      end.set_value(std::get<finish_event>(e));
    if (--left == 0)
      some.set_value();
  });
  some.get_future().wait();
  f.hosts.erase(f.hosts.begin());
  auto last = end.get_future().get();
  BOOST_TEST((last.reason == finish_reason::stop), last.message);
  BOOST_TEST((got == want));
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_SUITE_END()
