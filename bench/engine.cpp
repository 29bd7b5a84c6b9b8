// Decode and prefill of a random model of the demo model's shape.

#include <benchmark/benchmark.h>

#include "core/engine/engine.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;

hparams demo_shape() {
  auto p = hparams{};
  p.vocab = 4096;
  p.context = 2048;
  p.hidden = 256;
  p.layers = 12;
  p.heads = 8;
  p.kv_heads = 4;
  p.head_dim = 32;
  p.ffn = 768;
  p.rope_dim = 32;
  return p;
}

std::shared_ptr<const model> demo_model(dtype t) {
  auto o = test::random_model_options{};
  o.type = t;
  return test::random_model::make(demo_shape(), o);
}

std::vector<token_id> prompt(uint32_t n) {
  auto ids = std::vector<token_id>(n);
  for (auto i = 0u; i < n; ++i)
    ids[i] = static_cast<token_id>(random_bits(7, i) % 4096);
  return ids;
}

struct sequence {
  sequence(const engine& e, uint32_t tokens)
      : pool(make_block_arena(e.layout(kv_dtype::f16)),
             kv_layout::blocks_for(tokens)) {
    if (!table.grow(pool, tokens))
      std::abort();
  }
  block_pool pool;
  page_table table;
};

// args: dtype, threads, tokens, chunk
void prefill(benchmark::State& state) {
  auto chunk = static_cast<uint32_t>(state.range(3));
  auto e = engine{demo_model(static_cast<dtype>(state.range(0))),
                  {static_cast<unsigned>(state.range(1)), chunk}};
  auto n = static_cast<uint32_t>(state.range(2));
  auto ids = prompt(n);
  auto s = sequence{e, n};
  for (auto _ : state) {
    s.table.set_length(0);
    for (auto i = 0u; i < n; i += chunk) {
      auto count = std::min(chunk, n - i);
      auto row = batch_row{&s.table, {ids.data() + i, count}, i + count == n};
      benchmark::DoNotOptimize(e.forward({&row, 1}));
    }
  }
  state.SetItemsProcessed(state.iterations() * n);
}

// args: dtype, threads, batch, context
void decode(benchmark::State& state) {
  auto e = engine{demo_model(static_cast<dtype>(state.range(0))),
                  {static_cast<unsigned>(state.range(1)), 256}};
  auto batch = static_cast<size_t>(state.range(2));
  auto context = static_cast<uint32_t>(state.range(3));
  auto ids = prompt(context);
  auto sequences = std::vector<std::unique_ptr<sequence>>{};
  auto rows = std::vector<batch_row>{};
  for (auto i = size_t{0}; i < batch; ++i) {
    auto& s =
        *sequences.emplace_back(std::make_unique<sequence>(e, context + 16));
    for (auto at = 0u; at < context; at += 256) {
      auto count = std::min(256u, context - at);
      auto row = batch_row{&s.table, {ids.data() + at, count}, false};
      benchmark::DoNotOptimize(e.forward({&row, 1}));
    }
    rows.push_back({&s.table, {ids.data(), 1}});
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(e.forward(rows));
    for (auto& row : rows)
      row.table->set_length(context);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(batch));
}

constexpr auto q8 = static_cast<int64_t>(dtype::q8_0);
constexpr auto q4 = static_cast<int64_t>(dtype::q4_0);
constexpr auto f32 = static_cast<int64_t>(dtype::f32);

BENCHMARK(prefill)
    ->ArgNames({"dtype", "threads", "tokens", "chunk"})
    ->ArgsProduct({{q8}, {1, 2}, {128, 512, 1800}, {256}})
    ->ArgsProduct({{q4, f32}, {2}, {512}, {256}})
    ->UseRealTime();
BENCHMARK(decode)
    ->ArgNames({"dtype", "threads", "batch", "context"})
    ->ArgsProduct({{q8}, {1, 2}, {1, 4, 8, 32}, {128}})
    ->ArgsProduct({{q8}, {2}, {1, 8}, {1800}})
    ->ArgsProduct({{q4, f32}, {2}, {1, 8}, {128}})
    ->UseRealTime();

} // namespace
