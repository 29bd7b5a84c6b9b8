#include <boost/test/unit_test.hpp>

#include <functional>
#include <thread>

#include "core/base/random.hpp"
#include "runtime/cluster/certs.hpp"
#include "runtime/cluster/client.hpp"
#include "runtime/cluster/node_host.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace std::chrono_literals;

// A cluster with real sockets and threads, its nodes in one process: whatever
// becomes of them, tokens are those of a runtime of its own.

namespace {

generate_request request_of(uint64_t seed, uint32_t tokens) {
  auto r = generate_request{};
  for (uint32_t i = 0; i < 20; ++i)
    r.prompt.push_back(static_cast<token_id>(
        3 + random_bits(seed, i) % (testing::tiny_vocab_size - 3)));
  r.sampling.seed = seed;
  r.sampling.temperature = 0.8f;
  r.max_tokens = tokens;
  r.ignore_end = true;
  return r;
}

template <class T>
void require_ok(const result<T>& r) {
  BOOST_REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.failure().message));
}

struct fixture {
  explicit fixture(bool secure = false) {
    testing::write_tiny_model(dir.file("tiny.gguf"));
    if (secure) {
      require_ok(make_certs({dir.file("certs"), {"front", "node"}, 1}));
      front_tls = files_of("front");
      node_tls = files_of("node");
    }
    auto o = options();
    o.cluster.emplace();
    o.cluster->listen.port = 0;
    o.cluster->tls = front_tls;
    auto r = runtime::open(o);
    require_ok(r);
    front.emplace(std::move(*r));
  }

  tls_files files_of(const std::string& name) const {
    auto at = dir.file("certs") + "/";
    return {at + name + ".pem", at + name + ".key", at + "ca.pem"};
  }

  runtime_options options() const {
    auto o = runtime_options{};
    o.model = dir.file("tiny.gguf");
    o.threads = 1;
    return o;
  }

  node_host_options node(const std::string& name, node_role role) const {
    auto o = node_host_options{};
    o.runtime = options();
    o.role = role;
    o.name = name;
    o.join = {"127.0.0.1", front->cluster_port()};
    o.tls = node_tls;
    return o;
  }

  void add(const std::string& name, node_role role) {
    auto h = node_host::start(node(name, role));
    require_ok(h);
    hosts.emplace_back(std::move(*h));
  }

  std::vector<std::string> names() {
    auto s = front->status();
    require_ok(s);
    auto all = std::vector<std::string>{};
    for (auto& n : s->nodes)
      all.push_back(n.name);
    std::sort(all.begin(), all.end());
    return all;
  }

  bool comes_to(std::function<bool(const cluster_status&)> wanted) {
    for (auto i = 0; i < 200'000; ++i) {
      auto s = front->status();
      require_ok(s);
      if (wanted(*s))
        return true;
      std::this_thread::yield();
    }
    return false;
  }

  bool has_nodes(size_t n) {
    return comes_to([&](auto& s) { return s.nodes.size() == n; });
  }

  bool comes_to_rest() {
    return comes_to([](auto& s) {
      auto used = s.requests + s.silent.size();
      for (auto& n : s.nodes)
        used += n.blocks_in_use + n.sequences + n.waiting;
      return used == 0;
    });
  }

  std::vector<generation> submit(runtime& to, uint32_t requests,
                                 uint32_t tokens) {
    auto all = std::vector<generation>{};
    for (uint32_t n = 0; n < requests; ++n) {
      auto g = to.submit(request_of(n, tokens));
      require_ok(g);
      all.push_back(std::move(*g));
    }
    return all;
  }

  // `begun`: what was taken of the answers before.
  void expect_exact(std::vector<generation>& all, uint32_t tokens,
                    std::vector<std::vector<token_id>> begun = {}) {
    begun.resize(all.size());
    if (!plain) {
      auto r = runtime::open(options());
      require_ok(r);
      plain.emplace(std::move(*r));
    }
    for (uint32_t n = 0; n < all.size(); ++n) {
      auto got = collect(all[n]);
      BOOST_REQUIRE_MESSAGE(got.end.reason == finish_reason::length,
                            got.end.message);
      auto g = plain->submit(request_of(n, tokens));
      require_ok(g);
      auto expected = collect(*g);
      auto& whole = begun[n];
      whole.insert(whole.end(), got.tokens.begin(), got.tokens.end());
      BOOST_TEST(whole == expected.tokens, boost::test_tools::per_element());
    }
  }

  testing::temp_dir dir;
  std::optional<tls_files> front_tls;
  std::optional<tls_files> node_tls;
  std::optional<runtime> front;
  std::optional<runtime> plain;
  std::vector<node_host> hosts;
};

} // namespace

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

BOOST_AUTO_TEST_SUITE_END()
