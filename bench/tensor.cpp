// The matrix product for the shapes of the demo model and of larger ones,
// beside what the processor and its memory can do at most.

#include <array>
#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <vector>

#include "core/tensor/matmul.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;
using counter = benchmark::Counter;

double runs(const benchmark::State& state) {
  return static_cast<double>(state.iterations());
}

// -- peaks --------------------------------------------------------------------

constexpr auto dots_of_task = 1 << 16;

// 16 independent sums: enough to hide the latency of each.
__attribute__((target("avx512f,avx512vnni"))) void dots_512(int* out) {
  __m512i sum[16];
  for (auto i = 0; i < 16; ++i)
    sum[i] = _mm512_set1_epi32(i);
  auto w = _mm512_set1_epi32(*out);
  for (auto n = 0; n < dots_of_task; n += 16)
    for (auto& s : sum)
      s = _mm512_dpbusd_epi32(s, w, w);
  for (auto i = 1; i < 16; ++i)
    sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  __builtin_memcpy(out, sum, 4);
}

// args: threads
void peak_int8(benchmark::State& state) {
  if (int8_kernels_for(int8_instruction_set::avx512_vnni) == nullptr) {
    state.SkipWithError("no AVX-512 VNNI");
    return;
  }
  auto pool = thread_pool{static_cast<unsigned>(state.range(0))};
  auto tasks = 4 * pool.size();
  for (auto _ : state)
    pool.run(tasks, [](uint32_t, unsigned) {
      auto x = 1;
      benchmark::DoNotOptimize(x);
      dots_512(&x);
      benchmark::DoNotOptimize(x);
    });
  state.counters["OP/s"] =
      counter(runs(state) * tasks * dots_of_task * 128.0, counter::kIsRate);
}

// args: threads; far more than any cache of a few cores holds.
void peak_read(benchmark::State& state) {
  constexpr auto task_words = size_t{1} << 17;
  auto words = std::vector<uint64_t>(size_t{1} << 27, 1);
  auto pool = thread_pool{static_cast<unsigned>(state.range(0))};
  for (auto _ : state)
    pool.run(static_cast<uint32_t>(words.size() / task_words),
             [&](uint32_t task, unsigned) {
               auto* at = words.data() + task * task_words;
               uint64_t sum[32] = {};
               for (auto i = size_t{0}; i < task_words; i += 32)
                 for (auto j = size_t{0}; j < 32; ++j)
                   sum[j] += at[i + j];
               benchmark::DoNotOptimize(sum);
             });
  state.counters["B/s"] = counter(
      runs(state) * 8.0 * static_cast<double>(words.size()), counter::kIsRate);
}

BENCHMARK(peak_int8)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();
BENCHMARK(peak_read)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// -- products -----------------------------------------------------------------

// args: dtype, activations, threads, outputs, inputs, rows
void multiply(benchmark::State& state) {
  auto type = static_cast<dtype>(state.range(0));
  auto activations = static_cast<activation_type>(state.range(1));
  auto threads = static_cast<unsigned>(state.range(2));
  auto n = static_cast<uint32_t>(state.range(3));
  auto k = static_cast<uint32_t>(state.range(4));
  auto m = static_cast<uint32_t>(state.range(5));
  auto w = matrix_view{type, n, k, nullptr};
  auto bytes = std::vector<std::byte>(n * w.row_bytes());
  auto row = test::random_values(1, k);
  for (auto r = 0u; r < n; ++r)
    quantize_row(type, row.data(), k, bytes.data() + r * w.row_bytes());
  w.data = bytes.data();
  auto packed = packed_matrix{};
  if (activations != activation_type::f32) {
    packed = packed_matrix{w};
    w.packed = &packed;
  }
  auto x = test::random_values(2, size_t{m} * k);
  auto y = std::vector<float>(size_t{m} * n);
  auto c = compute{
      threads, best_kernels(), matmul_scratch_floats(k), activations, m, k};
  for (auto _ : state) {
    matmul(c, x.data(), m, std::array{linear{w, nullptr, y.data()}});
    benchmark::ClobberMemory();
  }
  state.counters["OP/s"] =
      counter(runs(state) * 2.0 * m * n * k, counter::kIsRate);
  state.counters["weights B/s"] = counter(
      runs(state) * static_cast<double>(bytes.size()), counter::kIsRate);
}

constexpr auto f32 = static_cast<int64_t>(activation_type::f32);
constexpr auto i16 = static_cast<int64_t>(activation_type::i16);
constexpr auto i8 = static_cast<int64_t>(activation_type::i8);

void shapes(benchmark::internal::Benchmark* b) {
  constexpr auto q8 = static_cast<int64_t>(dtype::q8_0);
  b->ArgNames({"dtype", "activations", "threads", "n", "k", "m"})
      ->UseRealTime()
      ->MeasureProcessCPUTime();
  for (auto threads : {1, 2})
    for (auto [n, k] :
         {std::pair{256, 256}, std::pair{768, 256}, std::pair{256, 768},
          std::pair{4096, 256}, std::pair{2048, 2048}, std::pair{5632, 2048}})
      for (auto m : {1, 8, 64, 512})
        for (auto a : {f32, i16, i8})
          b->Args({q8, a, threads, n, k, m});
  auto types = {dtype::q4_0, dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::q4_k,
                dtype::q5_k, dtype::q6_k, dtype::f16,  dtype::bf16, dtype::f32};
  for (auto threads : {1, 2})
    for (auto m : {1, 8, 64, 512})
      for (auto t : types)
        for (auto a : {f32, i16, i8})
          if (a == f32 || packed_matrix::supports(t))
            b->Args({static_cast<int64_t>(t), a, threads, 2048, 2048, m});
}

BENCHMARK(multiply)->Apply(shapes);

} // namespace
