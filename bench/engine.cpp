// Decode and prefill of random models: of the demo model's shape, and of larger
// ones.

#include <benchmark/benchmark.h>

#include "core/engine/engine.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;

hparams shape(uint32_t hidden, uint32_t layers, uint32_t heads, uint32_t ffn,
              uint32_t vocab) {
  auto p = hparams{};
  p.vocab = vocab;
  p.context = 2048;
  p.hidden = hidden;
  p.layers = layers;
  p.heads = heads;
  p.kv_heads = 4;
  p.head_dim = hidden / heads;
  p.ffn = ffn;
  p.rope_dim = p.head_dim;
  return p;
}

enum size : int64_t { demo, small, medium };

// The last one made is kept: it takes longer to make than to measure.
std::shared_ptr<const model> model_of(int64_t which, dtype t) {
  static auto kept = std::shared_ptr<const model>{};
  static auto key = std::pair<int64_t, dtype>{-1, dtype::f32};
  if (key == std::pair{which, t})
    return kept;
  kept.reset();
  auto o = test::random_model_options{};
  o.type = t;
  kept = test::random_model::make(which == demo ? shape(256, 12, 8, 768, 4096)
                                  : which == small
                                      ? shape(768, 12, 12, 2048, 32000)
                                      : shape(2048, 22, 32, 5632, 32000),
                                  o);
  key = {which, t};
  return kept;
}

engine engine_of(const benchmark::State& state, uint32_t most) {
  return {model_of(state.range(0), static_cast<dtype>(state.range(1))),
          {static_cast<unsigned>(state.range(3)), most, nullptr,
           static_cast<activation_type>(state.range(2))}};
}

std::vector<token_id> prompt(uint32_t n) {
  auto ids = std::vector<token_id>(n);
  for (auto i = 0u; i < n; ++i)
    ids[i] = static_cast<token_id>(random_bits(7, i)
                                   % 4096); // all vocabularies have as many
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

// args: size, dtype, activations, threads, tokens, chunk
void prefill(benchmark::State& state) {
  auto chunk = static_cast<uint32_t>(state.range(5));
  auto e = engine_of(state, chunk);
  auto n = static_cast<uint32_t>(state.range(4));
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

// args: size, dtype, activations, threads, batch, context
void decode(benchmark::State& state) {
  auto e = engine_of(state, 256);
  auto batch = static_cast<size_t>(state.range(4));
  auto context = static_cast<uint32_t>(state.range(5));
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
constexpr auto exact = static_cast<int64_t>(activation_type::f32);
constexpr auto i16 = static_cast<int64_t>(activation_type::i16);
constexpr auto i8 = static_cast<int64_t>(activation_type::i8);

BENCHMARK(prefill)
    ->ArgNames({"size", "dtype", "activations", "threads", "tokens", "chunk"})
    ->ArgsProduct({{demo}, {q8}, {exact, i16, i8}, {1, 2}, {128, 512}, {256}})
    ->ArgsProduct({{demo}, {q8}, {i16}, {2}, {1800}, {256}})
    ->ArgsProduct({{demo}, {q4}, {exact, i16, i8}, {2}, {512}, {256}})
    ->ArgsProduct({{demo}, {f32}, {exact}, {2}, {512}, {256}})
    ->ArgsProduct({{small, medium}, {q8}, {exact, i16, i8}, {2}, {512}, {256}})
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(decode)
    ->ArgNames({"size", "dtype", "activations", "threads", "batch", "context"})
    ->ArgsProduct(
        {{demo}, {q8}, {exact, i16, i8}, {1, 2}, {1, 4, 8, 32}, {128}})
    ->ArgsProduct({{demo}, {q8}, {i16}, {2}, {1, 8}, {1800}})
    ->ArgsProduct({{demo}, {q4}, {exact, i16, i8}, {2}, {1, 8}, {128}})
    ->ArgsProduct({{demo}, {f32}, {exact}, {2}, {1, 8}, {128}})
    ->ArgsProduct(
        {{small, medium}, {q8}, {exact, i16, i8}, {2}, {1, 8, 32}, {128}})
    ->UseRealTime()
    ->MeasureProcessCPUTime();

} // namespace
