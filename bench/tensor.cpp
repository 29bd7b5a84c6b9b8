// The matrix product for the shapes of the demo model and of a larger one.

#include <array>
#include <benchmark/benchmark.h>
#include <vector>

#include "core/tensor/matmul.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;

// args: dtype, threads, outputs, inputs, rows
void multiply(benchmark::State& state) {
  auto type = static_cast<dtype>(state.range(0));
  auto threads = static_cast<unsigned>(state.range(1));
  auto n = static_cast<uint32_t>(state.range(2));
  auto k = static_cast<uint32_t>(state.range(3));
  auto m = static_cast<uint32_t>(state.range(4));
  auto w = matrix_view{type, n, k, nullptr};
  auto bytes = std::vector<std::byte>(n * w.row_bytes());
  auto row = test::random_values(1, k);
  for (auto r = 0u; r < n; ++r)
    quantize_row(type, row.data(), k, bytes.data() + r * w.row_bytes());
  w.data = bytes.data();
  auto x = test::random_values(2, size_t{m} * k);
  auto y = std::vector<float>(size_t{m} * n);
  auto c = compute{threads, best_kernels(), matmul_scratch_floats(k)};
  for (auto _ : state) {
    matmul(c, x.data(), m, std::array{linear{w, nullptr, y.data()}});
    benchmark::ClobberMemory();
  }
  using counter = benchmark::Counter;
  auto runs = static_cast<double>(state.iterations());
  state.counters["FLOP/s"] = counter(runs * 2.0 * m * n * k, counter::kIsRate);
  state.counters["weights B/s"] =
      counter(runs * static_cast<double>(bytes.size()), counter::kIsRate);
}

void shapes(benchmark::internal::Benchmark* b) {
  constexpr auto q8 = static_cast<int64_t>(dtype::q8_0);
  b->ArgNames({"dtype", "threads", "n", "k", "m"})->UseRealTime();
  for (auto threads : {1, 2})
    for (auto [n, k] :
         {std::pair{256, 256}, std::pair{768, 256}, std::pair{256, 768},
          std::pair{4096, 256}, std::pair{2048, 2048}})
      for (auto m : {1, 8, 64, 512})
        b->Args({q8, threads, n, k, m});
  for (auto t : {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0})
    for (auto m : {1, 8, 64, 512})
      b->Args({static_cast<int64_t>(t), 2, 2048, 2048, m});
}

BENCHMARK(multiply)->Apply(shapes);

} // namespace
