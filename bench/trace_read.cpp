// How fast traces are read: chunks alone, and whole models.

#include <benchmark/benchmark.h>

#include "core/trace/trace_check.hpp"
#include "tests/support/core/trace_builder.hpp"

namespace {

using namespace troupe;
using namespace troupe::testing;

// Messages that 64 actors send each other, each from the handling of the one
// before it, in chunks of about 1 MiB; an arrival and a handling each.
std::vector<std::byte> trace_of(int64_t messages) {
  auto b = trace_builder{1};
  b.type(20, "troupe::step_tick");
  b.node(0, "here");
  for (uint64_t i = 1; i <= 64; ++i)
    b.actor({0, i}, "worker", 0);
  auto at = int64_t{1000};
  auto from = traced{0, 1};
  auto address = b.arrive({{}, from, 20, 1}, at);
  for (int64_t i = 0; i < messages; ++i) {
    auto to = traced{0, 1 + static_cast<uint64_t>(i * 7 % 64)};
    b.begin(from, address, at + 200);
    // 256 addresses, used again and again.
    auto next = b.arrive({from, to, 20, 1 + static_cast<uint64_t>(i / 1000)},
                         at + 300, {}, 0x10000 + 16 * (i % 256));
    b.end(at + 400);
    from = to;
    address = next;
    at += 500;
    if (i % 7000 == 0)
      b.chunk(at);
  }
  return b.bytes();
}

void count(benchmark::State& state, int64_t records, size_t bytes) {
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

void read_chunks(benchmark::State& state) {
  auto file = trace_of(state.range(0) / 2);
  for (auto _ : state) {
    auto r = trace_file_reader{};
    auto records = uint64_t{0};
    while (auto c = r.next(file))
      for_each_record(c->records, [&](trace_kind, const_bytes) { ++records; });
    benchmark::DoNotOptimize(records);
  }
  count(state, state.range(0), file.size());
}

void read_model(benchmark::State& state) {
  auto file = trace_of(state.range(0) / 2);
  auto input = trace_input{"bench", file};
  for (auto _ : state) {
    auto m = read_trace({&input, 1});
    benchmark::DoNotOptimize(m.messages.data());
  }
  count(state, state.range(0), file.size());
}

void check(benchmark::State& state) {
  auto file = trace_of(state.range(0) / 2);
  auto input = trace_input{"bench", file};
  auto m = read_trace({&input, 1});
  for (auto _ : state) {
    auto c = check_trace(m);
    if (!c.good())
      state.SkipWithError("the trace is not good");
    benchmark::DoNotOptimize(c);
  }
  count(state, state.range(0), file.size());
}

} // namespace

BENCHMARK(read_chunks)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(read_model)
    ->Arg(1'000'000)
    ->Arg(10'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(check)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
