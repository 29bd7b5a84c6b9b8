#include <array>
#include <cstdint>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/latency_predictor.hpp"
#include "core/serving/length_predictor.hpp"

using namespace troupe;
using troupe::bench::timed_loop;
using namespace std::chrono_literals;

namespace {

// Fitted on 20 collinear steps: ten prompt tokens for each row, 0.5 ms a row.
latency_predictor fitted() {
  auto p = latency_predictor{};
  for (uint32_t k = 1; k <= 20; ++k)
    p.record({10 * k, 0, k, 0}, k * 500us);
  return p;
}

// A step of 100 prompt tokens and 10 rows.
void predict(benchmark::State& state) {
  auto p = fitted();
  auto shape = step_shape{100, 0, 10, 0};
  for (auto _ : timed_loop{
           state, "the time of a step of 100 prompt tokens and 10 rows"}) {
    benchmark::DoNotOptimize(shape);
    auto t = p.predict(shape);
    benchmark::DoNotOptimize(t);
  }
}

// The same step took 5.5 ms: one step of recursive least squares, with the
// constraints, margins and the watch for changes.
void record(benchmark::State& state) {
  auto p = fitted();
  for (auto _ : timed_loop{
           state,
           "a step weighed in: recursive least squares, watched for changes"})
    p.record({100, 0, 10, 0}, 5500us);
  benchmark::DoNotOptimize(p);
}

// Steps of a node at work: all counts vary, so do times.
void record_mixed(benchmark::State& state) {
  auto p = latency_predictor{};
  auto i = uint32_t{0};
  for (auto _ : state) {
    auto rows = 1 + i * 7 % 32;
    auto chunk = i % 3 == 0 ? 16 * (1 + i % 11) : 0;
    p.record({chunk, chunk * uint64_t{i % 700}, rows, rows * uint64_t{i % 900}},
             2ms + chunk * 300us + rows * 500us + i % 13 * 100us);
    ++i;
  }
  benchmark::DoNotOptimize(p);
}

// Has seen batches of 16 sizes, one to 32 rows.
batch_controller tried() {
  auto o = batch_controller_options{};
  o.most = {32, 256};
  auto c = batch_controller{o};
  for (uint32_t round = 0; round < 50; ++round)
    for (uint32_t k = 0; k < 16; ++k) {
      auto rows = 1 + 2 * k;
      c.record({0, 0, rows, rows * 100}, 4ms + rows * 900us);
    }
  return c;
}

// So many sequences wait; rows and chunk are chosen, 32 rows at most.
// args: sequences
void next_batch(benchmark::State& state) {
  auto c = tried();
  auto waiting = static_cast<uint32_t>(state.range(0));
  auto demand = batch_demand{waiting, waiting * 100, 4000, 10ms, 200};
  auto limits = batch_limits{};
  for (auto _ :
       timed_loop{state, "rows and chunk chosen for so many that wait"}) {
    benchmark::DoNotOptimize(demand);
    limits = c.next(demand);
    benchmark::DoNotOptimize(limits);
  }
  state.counters["rows"] = limits.rows;
}

// Eight rows took 32 ms.
void record_observation(benchmark::State& state) {
  auto c = tried();
  for (auto _ : timed_loop{state, "a step of 8 rows weighed in"})
    c.record({0, 0, 8, 800}, 32ms);
  benchmark::DoNotOptimize(c);
}

length_predictor experienced() {
  auto p = length_predictor{};
  for (uint32_t i = 0; i < 5000; ++i)
    p.finished(i * 37 % 3000, 1 + i * 101 % 900);
  return p;
}

void remaining(benchmark::State& state) {
  auto p = experienced();
  auto generated = uint32_t{0};
  for (auto _ : state) {
    auto n = p.remaining(500, generated, 1000);
    benchmark::DoNotOptimize(n);
    generated = (generated + 17) % 1000;
  }
}

void finished(benchmark::State& state) {
  auto p = experienced();
  auto length = uint32_t{0};
  for (auto _ : state)
    p.finished(500, length = (length + 17) % 1000);
  benchmark::DoNotOptimize(p);
}

} // namespace

BENCHMARK(predict)->Name("seed/LatencyPredictor/predict");
BENCHMARK(record)->Name("seed/LatencyPredictor/record");
BENCHMARK(record_mixed)->Name("LatencyPredictor/record_mixed_steps");
BENCHMARK(next_batch)
    ->Name("seed/AdaptiveBatchController/next_batch")
    ->ArgName("waiting")
    ->Arg(8)
    ->Arg(64);
BENCHMARK(record_observation)
    ->Name("seed/AdaptiveBatchController/record_observation");
BENCHMARK(remaining)->Name("LengthPredictor/remaining");
BENCHMARK(finished)->Name("LengthPredictor/finished");
