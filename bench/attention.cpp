// Attention alone: tokens against contexts of several lengths, beside what the
// processor and its memory can do at most.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <tuple>
#include <vector>

#include "bench/peak.hpp"
#include "core/attention/dense.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;
using counter = benchmark::Counter;

double runs(const benchmark::State& state) {
  return static_cast<double>(state.iterations());
}

// -- peaks --------------------------------------------------------------------

constexpr auto steps_of_task = 1 << 16;

// 16 independent sums: enough to hide the latency of each.
__attribute__((target("avx512f"))) void multiply_adds(float* out) {
  __m512 sum[16];
  for (auto i = 0; i < 16; ++i)
    sum[i] = _mm512_set1_ps(static_cast<float>(i));
  auto x = _mm512_set1_ps(*out);
  for (auto n = 0; n < steps_of_task; n += 16)
    for (auto& s : sum)
      s = _mm512_fmadd_ps(x, x, s);
  for (auto i = 1; i < 16; ++i)
    sum[0] = _mm512_add_ps(sum[0], sum[i]);
  __builtin_memcpy(out, sum, 4);
}

// args: threads
void peak_f32(benchmark::State& state) {
  if (kernels_for(instruction_set::avx512) == nullptr) {
    state.SkipWithError("no AVX-512");
    return;
  }
  auto pool = thread_pool{static_cast<unsigned>(state.range(0))};
  auto tasks = 4 * pool.size();
  for (auto _ : state)
    pool.run(tasks, [](uint32_t, unsigned) {
      auto x = 1.f;
      benchmark::DoNotOptimize(x);
      multiply_adds(&x);
      benchmark::DoNotOptimize(x);
    });
  state.counters["FLOP/s"] =
      counter(runs(state) * tasks * steps_of_task * 32.0, counter::kIsRate);
}

// args: threads
void peak_read(benchmark::State& state) {
  auto words = bench::words_to_read();
  auto pool = thread_pool{static_cast<unsigned>(state.range(0))};
  auto bytes = 0.0;
  for (auto _ : state)
    bytes += bench::run_reads(pool, words);
  state.counters["B/s"] = counter(bytes, counter::kIsRate);
}

void with_threads(benchmark::internal::Benchmark* b) {
  b->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
}

BENCHMARK(peak_f32)->Apply(with_threads);
BENCHMARK(peak_read)->Apply(with_threads);

// -- attention ----------------------------------------------------------------

// args: type, threads, heads, KV heads, head dimension, context, new tokens.
// As many layers as exceed the caches, one after the other.
void attend(benchmark::State& state) {
  auto arg = [&](int i) { return static_cast<uint32_t>(state.range(i)); };
  auto type = static_cast<kv_dtype>(arg(0));
  auto heads = arg(2), kv_heads = arg(3), dim = arg(4), context = arg(5);
  auto tokens = arg(6);
  auto layout = kv_layout{1, kv_heads, dim, dim, type};
  auto blocks = kv_layout::blocks_for(context);
  constexpr auto enough = size_t{96} << 20;
  layout.layers = static_cast<uint32_t>(
      std::max(enough / (blocks * layout.layer_bytes()), size_t{1}));
  auto pool = block_pool{make_block_arena(layout), blocks};
  auto table = page_table{};
  if (!table.grow(pool, context))
    return state.SkipWithError("no memory");
  auto c = compute{arg(1), best_kernels(),
                   dense_attention::scratch_floats(heads, kv_heads, dim, dim)};
  auto a = dense_attention{heads, context};
  auto kv = test::random_values(1, size_t{context} * kv_heads * dim);
  auto q = test::random_values(2, size_t{tokens} * heads * dim);
  auto out = q;
  auto rows = attention_rows{&table, 0, context, 0};
  a.plan({&rows, 1}, layout);
  for (auto l = 0u; l < layout.layers; ++l)
    a.write(c, l, kv.data(), kv.data());
  rows = {&table, context - tokens, tokens, 0};
  a.plan({&rows, 1}, layout);
  auto layer = 0u;
  for (auto _ : state) {
    a.attend(c, layer, q.data(), out.data());
    benchmark::ClobberMemory();
    layer = (layer + 1) % layout.layers;
  }
  auto pairs = 0.0;
  for (auto t = 0u; t < tokens; ++t)
    pairs += context - t;
  state.counters["KV B/s"] =
      counter(runs(state) * blocks * static_cast<double>(layout.layer_bytes()),
              counter::kIsRate);
  state.counters["FLOP/s"] =
      counter(runs(state) * pairs * heads * dim * 4.0, counter::kIsRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"type", "threads", "heads", "kv_heads", "dim", "context", "m"})
      ->UseRealTime()
      ->MeasureProcessCPUTime();
  for (auto type : {kv_dtype::f32, kv_dtype::f16, kv_dtype::i8})
    for (auto threads : {1, 2}) {
      auto t = static_cast<int64_t>(type);
      for (auto [heads, kv_heads, dim] :
           {std::tuple{12, 4, 64}, std::tuple{8, 8, 64},
            std::tuple{32, 8, 128}}) {
        for (auto context : {512, 2048})
          b->Args({t, threads, heads, kv_heads, dim, context, 1});
        b->Args({t, threads, heads, kv_heads, dim, 512, 512});
      }
    }
}

BENCHMARK(attend)->Apply(shapes);

} // namespace
