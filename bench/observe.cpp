#include <cmath>
#include <memory>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/base/random.hpp"
#include "core/observe/export.hpp"
#include "core/observe/metrics.hpp"

using namespace troupe;
using troupe::bench::timed_loop;
using namespace std::chrono_literals;

namespace {

// ns, about a millisecond.
uint64_t log_normal(uint64_t n) {
  auto u = 1 - random_unit(1, n, 0);
  auto v = random_unit(1, n, 1);
  auto z = std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
  return static_cast<uint64_t>(std::exp(std::log(1e6) + z));
}

std::vector<uint64_t> values(size_t n, bool equal) {
  auto all = std::vector<uint64_t>(n, 5'000'000);
  for (size_t i = 0; !equal && i < n; ++i)
    all[i] = log_normal(i);
  return all;
}

// What a stage took, to its recorder; the clock is not in it.
void record(benchmark::State& state, bool equal) {
  auto h = histogram{};
  auto r = h.make_recorder();
  auto all = values(1024, equal);
  auto i = size_t{0};
  for (auto _ :
       timed_loop{state, "one value into its cell, without reading the clock"})
    r.record(all[i++ % 1024]);
}

std::unique_ptr<histogram> shared;

// Threads, each with a recorder of the same histogram.
void record_threads(benchmark::State& state) {
  if (state.thread_index() == 0)
    shared = std::make_unique<histogram>();
  auto r = histogram::recorder{};
  auto first = true;
  auto i = uint64_t{1'000'000};
  for (auto _ : state) {
    if (first) // here the histogram is there for all threads
      r = shared->make_recorder();
    first = false;
    r.record(i += 1000);
  }
}

// p50, p99, p99.9, mean, smallest and largest of so many values.
void stats(benchmark::State& state, bool equal) {
  auto h = histogram_counts{};
  for (auto v : values(static_cast<size_t>(state.range(0)), equal))
    h.add(v);
  auto q = std::array{0., 0.5, 0.99, 0.999, 1.};
  auto results = std::array<uint64_t, 5>{};
  for (auto _ : timed_loop{
           state, "p50, p99, p99.9, mean, least and most of so many values"}) {
    h.quantiles(q, results);
    auto mean = h.mean();
    benchmark::DoNotOptimize(mean);
    benchmark::DoNotOptimize(results);
  }
}

// The same, gathered from four threads' cells first.
void stats_gathered(benchmark::State& state) {
  auto h = histogram{};
  auto recorders = std::vector<histogram::recorder>(4);
  auto all = values(1'000'000, false);
  for (auto& r : recorders)
    r = h.make_recorder();
  for (size_t i = 0; i < all.size(); ++i)
    recorders[i % 4].record(all[i]);
  auto q = std::array{0., 0.5, 0.99, 0.999, 1.};
  auto results = std::array<uint64_t, 5>{};
  for (auto _ : state) {
    h.counts().quantiles(q, results);
    benchmark::DoNotOptimize(results);
  }
}

void count(benchmark::State& state) {
  auto registry = metric_registry{};
  auto& c = (*registry.counters("x", "", {"tenant"}))->with({"acme"});
  for (auto _ : state)
    c.add();
}

void find_series(benchmark::State& state) {
  auto registry = metric_registry{};
  auto* f = *registry.counters("x", "", {"tenant", "status"});
  for (auto _ : state)
    f->with({"acme", "200"}).add();
}

// 100 series with 16 buckets each.
void prometheus(benchmark::State& state) {
  auto registry = metric_registry{};
  auto* f = *registry.histograms("ttft_seconds", "First token.", {"tenant"});
  for (auto i = 0; i < 100; ++i) {
    auto r = f->with({std::to_string(i)}).make_recorder();
    for (auto v : values(1000, false))
      r.record(v);
  }
  for (auto _ : state)
    benchmark::DoNotOptimize(to_prometheus(registry.snapshot()));
}

} // namespace

BENCHMARK_CAPTURE(record, equal, true)->Name("seed/ProductionProfiler/record");
BENCHMARK_CAPTURE(record, log_normal, false)
    ->Name("seed/ProductionProfiler/record_log_normal");
BENCHMARK(record_threads)
    ->Name("ProductionProfiler/record")
    ->Threads(8)
    ->UseRealTime();
BENCHMARK_CAPTURE(stats, equal, true)
    ->Name("seed/ProductionProfiler/stats")
    ->Arg(1000);
BENCHMARK_CAPTURE(stats, log_normal, false)
    ->Name("seed/ProductionProfiler/stats_log_normal")
    ->Arg(1000)
    ->Arg(1'000'000);
BENCHMARK(stats_gathered)->Name("ProductionProfiler/stats_of_4_threads");
BENCHMARK(count)->Name("ProductionProfiler/count");
BENCHMARK(find_series)->Name("ProductionProfiler/find_series");
BENCHMARK(prometheus)->Name("ProductionProfiler/prometheus_100_series");
