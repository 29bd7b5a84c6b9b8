#include <string>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/base/random.hpp"
#include "core/serving/response_cache_semantic.hpp"

using namespace troupe;
using troupe::bench::timed_loop;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 1h;

response_scope scope() {
  return {"acme", 7, std::string(400, 's'),
          "max_tokens=256 temperature=0 top_p=1 seed=0 stop="};
}

response_cache_options options(uint64_t entries) {
  auto o = response_cache_options{};
  o.enabled = true;
  o.budget = o.tenant_budget = entries * 2400;
  return o;
}

// Prompts of 500 bytes.
std::vector<std::string> prompt(int64_t i) {
  auto text = std::string(500, 'p');
  text += std::to_string(i);
  return {"user", text};
}

cached_response answer() {
  return std::make_shared<const std::string>(1000, 'a');
}

void fill(response_cache& c, int64_t entries) {
  for (auto i = int64_t{0}; i < entries; ++i) {
    auto r = c.lookup(response_key::of(scope(), prompt(i)), 1, t0);
    c.fill(r.flight, answer(), t0);
  }
}

// A request that nobody made before: its key, the search, the flight that
// begins, and its end.
void lookup_miss(benchmark::State& state) {
  auto c = response_cache{options(200'000)};
  fill(c, state.range(0));
  auto s = scope();
  auto p = prompt(-1);
  for (auto _ : state) {
    auto r = c.lookup(response_key::of(s, p), 1, t0);
    c.abandon(r.flight, t0);
  }
}

// One that was: its key and the search.
void lookup_hit(benchmark::State& state) {
  auto c = response_cache{options(200'000)};
  fill(c, state.range(0));
  auto s = scope();
  auto p = prompt(state.range(0) / 2);
  for (auto _ : state)
    benchmark::DoNotOptimize(c.lookup(response_key::of(s, p), 1, t0));
}

// An answer is stored where 256 have room, so that the oldest gives way.
void store(benchmark::State& state) {
  auto c = response_cache{options(256)};
  auto s = scope();
  auto a = answer();
  auto p = prompt(0);
  auto i = uint64_t{0};
  for (auto _ : state) {
    auto digits = ++i;
    for (auto k = size_t{0}; k < 8; ++k, digits /= 10)
      p[1][k] = static_cast<char>('0' + digits % 10);
    auto r = c.lookup(response_key::of(s, p), 1, t0);
    c.fill(r.flight, a, t0);
  }
  state.counters["entries"] = static_cast<double>(c.entries());
}

// -- in other words
// ------------------------------------------------------------

// As the reference's: of U[0, 1), so that any two have a cosine of about 0.76.
std::vector<float> embedding(uint64_t i, size_t dim = 128) {
  auto x = std::vector<float>(dim);
  for (size_t k = 0; k < x.size(); ++k)
    x[k] = static_cast<float>(random_unit(1, i, static_cast<uint32_t>(k)));
  return x;
}

semantic_options semantic(uint32_t entries) {
  auto o = semantic_options{};
  o.error = 0.05;
  o.least_similarity = 0.95;
  o.most_entries = o.most_of_tenant = entries;
  o.budget = o.tenant_budget = uint64_t{1} << 30;
  return o;
}

// A vector made a row, the scope's key, and all rows compared: none is near.
// args: entries, dimensions
void semantic_miss(benchmark::State& state) {
  auto c = semantic_cache{semantic(200'000)};
  auto s = scope();
  auto dim = static_cast<size_t>(state.range(1));
  for (auto i = int64_t{0}; i < state.range(0); ++i)
    c.store(s, "how is it", embedding(i + 1, dim), answer(), t0);
  auto x = embedding(0, dim);
  auto misses = int64_t{0};
  for (auto _ : timed_loop{state, "the question quantised to int8 and compared "
                                  "with all rows: none is near"}) {
    auto r = c.lookup(s, "what about it", x, 0.5, t0);
    misses += r.is == semantic_cache::found::nothing;
  }
  state.counters["misses"] =
      benchmark::Counter(misses, benchmark::Counter::kAvgIterations);
}

// One vector after the other, where 256 have room.
void semantic_store(benchmark::State& state) {
  auto c = semantic_cache{semantic(256)};
  auto s = scope();
  auto x = embedding(0);
  auto a = answer();
  for (auto _ :
       timed_loop{state, "a row of 128 stored, the oldest of 256 gives way"})
    c.store(s, "how is it", x, a, t0);
}

} // namespace

BENCHMARK(lookup_miss)
    ->Name("SemanticResponseCache/exact_lookup_miss")
    ->Arg(64)
    ->Arg(10'000)
    ->Arg(100'000);
BENCHMARK(lookup_hit)
    ->Name("SemanticResponseCache/exact_lookup_hit")
    ->Arg(64)
    ->Arg(100'000);
BENCHMARK(store)->Name("SemanticResponseCache/exact_lookup+store");
BENCHMARK(semantic_miss)
    ->Name("seed/SemanticResponseCache/lookup miss")
    ->ArgNames({"entries", "dim"})
    ->Args({64, 128})
    ->Args({256, 64})
    ->Args({256, 128})
    ->Args({10'000, 128})
    ->Args({100'000, 128})
    ->Args({100'000, 384});
BENCHMARK(semantic_store)->Name("seed/SemanticResponseCache/store");
