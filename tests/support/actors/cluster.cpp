#include "tests/support/actors/cluster.hpp"

#include <cmath>
#include <map>

#include "actors/decode_node.hpp"
#include "actors/kv_store.hpp"
#include "actors/prefill_node.hpp"
#include "actors/registry.hpp"
#include "core/base/random.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

std::shared_ptr<const model> shared_tiny_model() {
  static auto m = tiny_model();
  return m;
}

std::shared_ptr<const model> demo_model() {
  static auto m = [] {
    auto loaded = load_model(TROUPE_SOURCE_DIR "/models/troupe-demo.gguf");
    BOOST_REQUIRE(loaded.ok());
    return std::shared_ptr<const model>{std::move(*loaded)};
  }();
  return m;
}

std::shared_ptr<block_arena> tiny_arena() {
  return make_block_arena(
      kv_layout_of(shared_tiny_model()->params, kv_dtype::f16));
}

node_options tiny_node(node_id id, std::shared_ptr<block_arena> arena,
                       uint32_t blocks, const cluster_options& o) {
  auto n = node_options{};
  n.id = id;
  n.weights = o.weights ? o.weights : shared_tiny_model();
  n.arena = std::move(arena);
  n.blocks = blocks;
  n.cached_blocks = o.cached_blocks;
  n.threads = o.threads;
  n.prefill_chunk = o.prefill_chunk;
  n.max_batch = o.max_batch;
  n.gather_within = o.gather_within;
  n.push_bytes = o.push_bytes;
  return n;
}

generate_request varied_request(uint32_t n, uint32_t max_tokens) {
  auto r = generate_request{};
  r.request = 1000 + n;
  auto length = 1 + random_bits(n, 0) % 60;
  for (uint64_t i = 0; i < length; ++i)
    r.prompt.push_back(3 + random_bits(n, i, 1) % 290);
  r.max_tokens = max_tokens;
  r.ignore_end = true;
  r.sampling.seed = n;
  r.sampling.temperature = n % 3 == 0 ? 0.f : 0.8f;
  if (n % 2 == 1) {
    r.sampling.repetition_penalty = 1.2f;
    r.sampling.frequency_penalty = 0.3f;
    r.sampling.top_k = 40;
  }
  return r;
}

std::vector<token_id> plain_answer(const generate_request& r) {
  static auto known =
      std::map<std::pair<request_id, uint32_t>, std::vector<token_id>>{};
  auto& answer = known[{r.request, r.max_tokens}];
  if (!answer.empty())
    return answer;
  auto compute = engine{shared_tiny_model(), {1, 256}};
  auto pool = block_pool{tiny_arena(), 64};
  auto table = page_table{};
  auto sample = fused_sampler{};
  auto next = r.prompt;
  while (answer.size() < r.max_tokens) {
    table.grow(pool, table.length() + static_cast<uint32_t>(next.size()));
    auto row = batch_row{};
    row.table = &table;
    row.tokens = next;
    auto logits = compute.forward({&row, 1});
    BOOST_REQUIRE(logits.ok());
    auto token =
        sample.sample(*logits, r.prompt, answer, answer.size(), r.sampling);
    BOOST_REQUIRE(token.ok());
    answer.push_back(token->id);
    next = {token->id};
  }
  return answer;
}

embed_request varied_embed_request(uint32_t n, uint32_t inputs) {
  auto r = embed_request{};
  r.request = 5000 + n;
  for (uint32_t i = 0; i < inputs; ++i) {
    auto& ids = r.inputs.emplace_back();
    auto length = 1 + random_bits(n, i, 2) % 70;
    for (uint64_t t = 0; t < length; ++t)
      ids.push_back(static_cast<token_id>(random_bits(n, i, 3 + t) % 300));
  }
  return r;
}

std::vector<float> plain_state(const std::vector<token_id>& ids) {
  static auto known = std::map<std::vector<token_id>, std::vector<float>>{};
  auto& state = known[ids];
  if (!state.empty())
    return state;
  auto compute = engine{shared_tiny_model(), {1, 256}};
  auto pool = block_pool{tiny_arena(), 64};
  auto table = page_table{};
  BOOST_REQUIRE(table.grow(pool, static_cast<uint32_t>(ids.size())));
  auto row = batch_row{&table, ids, false};
  row.want_states = true;
  BOOST_REQUIRE(compute.forward({&row, 1}).ok());
  auto hidden = size_t{shared_tiny_model()->params.hidden};
  auto sum = std::vector<double>(hidden);
  for (size_t i = 0; i < compute.states().size(); ++i)
    sum[i % hidden] += double{compute.states()[i]};
  for (auto x : sum)
    state.push_back(static_cast<float>(x / static_cast<double>(ids.size())));
  return state;
}

std::vector<float> plain_vector(const std::vector<token_id>& ids,
                                uint32_t dimensions) {
  auto state = plain_state(ids);
  if (dimensions > 0)
    state.resize(dimensions);
  auto squares = 0.0;
  for (auto x : state)
    squares += double{x} * double{x};
  for (auto& x : state)
    x = static_cast<float>(double{x} / std::sqrt(squares));
  return state;
}

decode_actor cluster::spawn_decode(node_id id) {
  auto& o = options_;
  auto alone = id > 200;
  auto n = tiny_node(id, arena_, alone ? o.mixed_blocks : o.decode_blocks, o);
  if (!alone) {
    n.role = node_role::decode;
    n.cached_blocks = 0;
  }
  n.preempt = o.preempt;
  n.store = store;
  auto a = sim.spawn(decode_node, n);
  if (alone)
    caf::anon_send(reg, add_mixed{id, a});
  else
    caf::anon_send(reg, add_decode{id, a});
  return a;
}

void cluster::replace(node_id id) {
  auto& node = id > 200 ? mixed[id - 201] : decodes[id - 101];
  sim.kill(node);
  sim.run();
  node = spawn_decode(id);
}

cluster::cluster(cluster_options options)
    : sim(options.seed), options_(std::move(options)) {
  auto& o = options_;
  auto weights = o.weights ? o.weights : shared_tiny_model();
  arena_ = make_block_arena(kv_layout_of(weights->params, kv_dtype::f16));
  if (o.mixed > 0)
    o.prefills = o.decodes = 0;
  auto book = std::make_shared<node_book>();
  reg =
      sim.spawn(registry, registry_options{std::chrono::seconds{2}, {}, book});
  if (o.store_blocks > 0) {
    auto s = kv_store_options{};
    s.id = 301;
    s.weights = weights;
    s.arena = arena_;
    s.blocks = o.store_blocks;
    s.file_blocks = o.file_blocks;
    if (o.file_blocks > 0)
      s.file = *open_nameless_file("/tmp");
    store = sim.spawn(kv_store, s);
  }
  for (uint32_t i = 1; i <= o.prefills; ++i) {
    prefills.push_back(
        sim.spawn(prefill_node, tiny_node(i, arena_, o.prefill_blocks, o)));
    caf::anon_send(reg, add_prefill{i, prefills.back()});
  }
  for (uint32_t i = 101; i <= 100 + o.decodes; ++i)
    decodes.push_back(spawn_decode(i));
  for (uint32_t i = 201; i <= 200 + o.mixed; ++i)
    mixed.push_back(spawn_decode(i));
  auto g = gateway_options{};
  g.registry = reg;
  g.vocab = weights->params.vocab;
  g.context = weights->params.context;
  if (o.text) {
    g.text = *tokenizer::make(weights->vocab);
    g.end_tokens = g.text->end_tokens();
  }
  g.session.max_placements = o.max_placements;
  if (o.choose)
    g.session.nodes = book;
  gate = sim.spawn(gateway, g);
  client = sim.spawn(fake_client, heard);
  sim.run();
  at_rest_ = sim.alive();
}

void cluster::submit(generate_request r) {
  caf::anon_send(gate, troupe::submit{std::move(r), client});
}

void cluster::submit(embed_request r) {
  if (!embed_client) {
    embed_client = sim.spawn(fake_embed_client, embedded);
    ++at_rest_;
  }
  caf::anon_send(gate, submit_embed{std::move(r), embed_client});
}

void cluster::cancel(request_id id) {
  caf::anon_send(gate, cancel_request{id});
}

void expect_empty(const node_status& s) {
  BOOST_TEST_CONTEXT("node " << s.node) {
    BOOST_REQUIRE_EQUAL(s.blocks_in_use, 0u);
    BOOST_REQUIRE_EQUAL(s.sequences, 0u);
    BOOST_REQUIRE_EQUAL(s.waiting, 0u);
  }
}

void cluster::expect_idle(std::chrono::milliseconds limit) {
  sim.drain(limit);
  auto all = sim.ask<cluster_status>(gate, status_query{});
  BOOST_REQUIRE(all.silent.empty());
  auto dead =
      prefills.size() + decodes.size() + mixed.size() - all.nodes.size();
  for (auto& s : all.nodes)
    expect_empty(s);
  if (store && store_lives)
    expect_empty(status(store));
  BOOST_REQUIRE_EQUAL(sim.alive() + dead + (store_lives ? 0 : 1), at_rest_);
}

void cluster::expect_exact(const embed_request& r) {
  BOOST_TEST_CONTEXT("request " << r.request) {
    auto& e = embedded->end(r.request);
    BOOST_REQUIRE_MESSAGE(e.reason == finish_reason::stop,
                          to_string(e.code) << ": " << e.message);
    BOOST_TEST(e.prompt_tokens == r.tokens());
    auto& vectors = embedded->answers[r.request].vectors;
    BOOST_REQUIRE_EQUAL(vectors.size(), r.inputs.size());
    for (uint32_t i = 0; i < r.inputs.size(); ++i)
      BOOST_TEST(vectors[i] == plain_vector(r.inputs[i], r.dimensions),
                 boost::test_tools::per_element());
  }
}

void cluster::expect_exact(const generate_request& r) {
  BOOST_TEST_CONTEXT("request " << r.request) {
    auto& e = heard->end(r.request);
    BOOST_REQUIRE_MESSAGE(e.reason == finish_reason::length,
                          to_string(e.code) << ": " << e.message);
    auto expected = plain_answer(r);
    BOOST_TEST(answer(r.request).tokens == expected,
               boost::test_tools::per_element());
    BOOST_TEST(e.completion_tokens == expected.size());
  }
}

} // namespace troupe::testing
