// Nodes whose steps several ranks compute, in one process.

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;

namespace {

struct model_in_file {
  testing::temp_dir dir;
  explicit model_in_file(dtype type = dtype::f32) {
    auto o = testing::tiny_model_options{};
    o.type = type;
    o.hidden = 128;
    o.heads = 8;
    o.ffn = 192;
    testing::write_tiny_model(dir.file("tiny.gguf"), o);
  }
};

generate_request request_of(uint64_t seed) {
  auto r = generate_request{};
  for (uint32_t i = 0; i < 20 + 7 * (seed % 5); ++i)
    r.prompt.push_back(static_cast<token_id>(
        3 + random_bits(seed, i) % (testing::tiny_vocab_size - 3)));
  r.sampling.seed = seed;
  r.sampling.temperature = seed % 2 == 0 ? 0.f : 0.9f;
  r.max_tokens = 24;
  r.ignore_end = true;
  return r;
}

struct how {
  topology nodes;
  uint32_t tensor_ranks = 1;
  uint32_t blocks = 0;
  unsigned threads = 1;
};

/// The answers to eight requests at once, if nothing is left afterwards.
std::vector<std::vector<token_id>> answers(const model_in_file& m, how h) {
  auto o = runtime_options{};
  o.model = m.dir.file("tiny.gguf");
  o.threads = h.threads;
  o.prefill_chunk = 16;
  o.tensor_ranks = h.tensor_ranks;
  o.nodes = std::move(h.nodes);
  for (auto* role : {&o.nodes.decode, &o.nodes.mixed})
    for (auto& n : *role)
      n.blocks = h.blocks;
  auto rt = runtime::open(o);
  BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
  auto all = std::vector<std::vector<token_id>>{};
  auto under_way = std::vector<generation>{};
  for (auto seed = 1u; seed <= 8; ++seed) {
    auto g = rt->submit(request_of(seed));
    BOOST_REQUIRE(g);
    under_way.push_back(std::move(*g));
  }
  for (auto& g : under_way) {
    auto c = collect(g);
    BOOST_REQUIRE_MESSAGE(c.end.reason == finish_reason::length, c.end.message);
    all.push_back(c.tokens);
  }
  for (auto i = 0;; ++i) {
    auto s = rt->status();
    BOOST_REQUIRE(s.ok());
    auto used = 0u;
    for (auto& n : s->nodes)
      used += n.blocks_in_use + n.sequences + n.waiting;
    if (used == 0)
      break;
    BOOST_REQUIRE(i < 10000);
  }
  return all;
}

topology mixed() {
  return {{}, {}, {node_plan{}}};
}

topology split() {
  return {{node_plan{}}, {node_plan{}, node_plan{}}, {}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(runtime_ranks)

BOOST_AUTO_TEST_CASE(tokens_of_tensor_ranks_do_not_depend_on_nodes_or_threads) {
  for (auto type : {dtype::f32, dtype::q8_0}) {
    auto m = model_in_file{type};
    auto want = answers(m, {mixed(), 2});
    BOOST_TEST((answers(m, {mixed(), 2, 0, 2}) == want));
    BOOST_TEST((answers(m, {split(), 2}) == want));
    // Sequences are swapped out, come back, and are computed again.
    BOOST_TEST((answers(m, {mixed(), 2, 9}) == want));
    BOOST_TEST((answers(m, {split(), 2, 7}) == want));
    auto no_store = split();
    no_store.store.reset();
    BOOST_TEST((answers(m, {no_store, 2, 7}) == want));
  }
}

BOOST_AUTO_TEST_CASE(tokens_of_sequence_ranks_are_those_of_one) {
  for (auto type : {dtype::f32, dtype::q8_0}) {
    auto m = model_in_file{type};
    auto want = answers(m, {mixed()});
    for (auto ranks : {2u, 3u}) {
      if (ranks == 3 && type == dtype::q8_0)
        continue; // a test of each is enough
      auto nodes = split();
      nodes.prefill[0].sequence_ranks = ranks;
      nodes.decode[1].sequence_ranks = 2;
      BOOST_TEST((answers(m, {nodes}) == want));
    }
  }
}

BOOST_AUTO_TEST_CASE(ranks_that_cannot_be_are_refused_with_the_reason) {
  auto m = model_in_file{};
  auto refusal = [&](how h) {
    auto o = runtime_options{};
    o.model = m.dir.file("tiny.gguf");
    o.nodes = h.nodes;
    o.tensor_ranks = h.tensor_ranks;
    auto rt = runtime::open(o);
    return rt.ok() ? std::string{} : rt.failure().message;
  };
  BOOST_TEST(refusal({mixed(), 0})
             == "tensor_ranks must be a number from 1 to 64");
  BOOST_TEST(refusal({mixed(), 64}).find("64 ranks") != std::string::npos);
  auto both = mixed();
  both.mixed[0].sequence_ranks = 2;
  BOOST_TEST(refusal({both, 2})
             == "a node has tensor ranks or sequence ranks, not both");
  both.mixed[0].sequence_ranks = 60;
  BOOST_TEST(!refusal({both}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
