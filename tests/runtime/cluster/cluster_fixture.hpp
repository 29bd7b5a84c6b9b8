#pragma once

#include <boost/test/unit_test.hpp>

#include <functional>
#include <optional>
#include <thread>

#include "core/base/random.hpp"
#include "runtime/cluster/certs.hpp"
#include "runtime/cluster/client.hpp"
#include "runtime/cluster/node_host.hpp"
#include "tests/support/core/comes.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::test {

inline generate_request request_of(uint64_t seed, uint32_t tokens) {
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

/// A cluster's front, and nodes that are hosts of their own in this process.
struct cluster_fixture {
  explicit cluster_fixture(bool secure = false, uint32_t tensor_ranks = 1)
      : tensor_ranks(tensor_ranks) {
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
    o.tensor_ranks = tensor_ranks;
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
    return testing::comes([&] {
      auto s = front->status();
      require_ok(s);
      return wanted(*s);
    });
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

  uint32_t tensor_ranks;
  testing::temp_dir dir;
  std::optional<tls_files> front_tls;
  std::optional<tls_files> node_tls;
  std::optional<runtime> front;
  std::optional<runtime> plain;
  std::vector<node_host> hosts;
};

} // namespace troupe::test
