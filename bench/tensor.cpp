// The matrix product for the shapes of the demo model and of larger ones,
// beside what the processor and its memory can do at most.

#include <array>
#include <benchmark/benchmark.h>
#include <vector>

#include "bench/peak.hpp"
#include "core/tensor/matmul.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;
using counter = benchmark::Counter;

// -- peaks --------------------------------------------------------------------

// args: threads
void peak_int8(benchmark::State& state) {
  if (!bench::has_vnni()) {
    state.SkipWithError("no AVX-512 VNNI");
    return;
  }
  auto pool = thread_pool{static_cast<unsigned>(state.range(0))};
  auto ops = 0.0;
  for (auto _ : state)
    ops += bench::run_dots(pool);
  state.counters["OP/s"] = counter(ops, counter::kIsRate);
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
  bench::count(state, threads, 2.0 * m * n * k,
               static_cast<double>(bytes.size()));
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
          if (a == f32
              || (t == dtype::bf16 ? multiplies_bf16()
                                   : packed_matrix::supports(t)))
            b->Args({static_cast<int64_t>(t), a, threads, 2048, 2048, m});
}

BENCHMARK(multiply)->Apply(shapes);

} // namespace
