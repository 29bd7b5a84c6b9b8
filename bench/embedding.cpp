// What embedding adds to an engine: the time to the first token and per token
// of an answer that generate() gives, less that of the engine alone in a loop,
// of the same model and in turns in one run; and what a thousand runtimes that
// are opened and closed leave behind.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <unistd.h>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/model/shared_model.hpp"
#include "runtime/embedding.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;

namespace {

using steady = std::chrono::steady_clock;

constexpr auto prompt_tokens = uint32_t{16};
constexpr auto answer_tokens = uint32_t{128};

double median(std::vector<double> xs) {
  auto middle = xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2);
  std::nth_element(xs.begin(), middle, xs.end());
  return *middle;
}

double us(steady::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

std::vector<token_id> prompt_of(uint64_t seed) {
  auto ids = std::vector<token_id>(prompt_tokens);
  for (auto i = 0u; i < prompt_tokens; ++i)
    ids[i] = static_cast<token_id>(3 + (seed * 37 + i * 11) % 250);
  return ids;
}

struct timing {
  double first = 0; ///< µs until the first token
  double each = 0;  ///< µs of one that follows
};

// The likeliest token each time. KV blocks are taken as they are needed,
// zeroed, as nodes take them.
timing engine_alone(engine& e, block_pool& pool, uint64_t seed) {
  auto table = page_table{};
  auto ids = prompt_of(seed);
  auto step = [&] {
    if (!table.grow(pool, table.length() + static_cast<uint32_t>(ids.size())))
      std::abort();
    auto row = batch_row{&table, {ids.data(), ids.size()}};
    auto logits = e.forward({&row, 1});
    if (!logits)
      std::abort();
    auto best = std::max_element(logits->begin(), logits->end());
    ids.assign(1, static_cast<token_id>(best - logits->begin()));
  };
  auto begin = steady::now();
  step();
  auto first = steady::now();
  for (auto i = 1u; i < answer_tokens; ++i)
    step();
  auto end = steady::now();
  return {us(first - begin), us(end - first) / (answer_tokens - 1)};
}

std::optional<timing> embedded(runtime& rt, uint64_t seed) {
  auto r = generate_request{};
  r.prompt = prompt_of(seed);
  r.max_tokens = answer_tokens;
  r.ignore_end = true;
  r.sampling.temperature = 0;
  auto first = steady::time_point{};
  auto last = first;
  auto seen = size_t{0};
  auto begin = steady::now();
  auto c = generate(rt, std::move(r), [&](const token_event& t) {
    seen += t.tokens.size();
    if (seen == 1)
      first = steady::now();
    else if (seen == answer_tokens)
      last = steady::now();
    return true;
  });
  if (!c || c->tokens.size() != answer_tokens || seen != answer_tokens)
    return {};
  return timing{us(first - begin), us(last - first) / (answer_tokens - 1)};
}

runtime_options options_of(const testing::temp_dir& dir) {
  auto o = runtime_options{};
  o.model = dir.file("tiny.gguf");
  testing::write_tiny_model(o.model);
  o.threads = 1;
  o.prefix_cache = false;
  return o;
}

// A runtime, and an engine alone.
struct pair {
  explicit pair(const runtime_options& o, const std::shared_ptr<const model>& m)
      : rt(runtime::open(o)), e(m, {1, 256, nullptr, activation_type::i8}),
        pool(make_block_arena(e.layout(kv_dtype::f32)),
             kv_layout::blocks_for(prompt_tokens + answer_tokens)) {}

  result<runtime> rt;
  engine e;
  block_pool pool;
};

void over_the_engine(benchmark::State& state, const char* model) {
  auto dir = testing::temp_dir{};
  auto o = options_of(dir);
  if (model)
    o.model = model;
  o.kv = kv_dtype::f32;
  // The runtime's own: two copies are not equally fast, and each would find
  // the caches full of the other.
  auto weights = load_shared_model(o.model);
  if (!weights)
    return state.SkipWithError("the model does not load");
  // Where what they compute with lies in memory makes one faster than the
  // other, by more than is asked for here.
  constexpr auto requests_of_each = 10;
  auto both = std::unique_ptr<pair>{};
  auto n = 0;
  auto first = std::vector<double>{};
  auto each = std::vector<double>{};
  auto own_first = std::vector<double>{};
  auto own_each = std::vector<double>{};
  auto seed = uint64_t{0};
  for (auto _ : state) {
    if (n++ % requests_of_each == 0) {
      both.reset();
      both = std::make_unique<pair>(o, *weights);
      if (!both->rt)
        return state.SkipWithError("the runtime does not open");
    }
    // Whoever ran last has the caches.
    engine_alone(both->e, both->pool, ++seed);
    auto own = engine_alone(both->e, both->pool, ++seed);
    embedded(*both->rt, seed + 1);
    auto all = embedded(*both->rt, seed);
    if (!all)
      return state.SkipWithError("no answer");
    own_first.push_back(own.first);
    own_each.push_back(own.each);
    first.push_back(all->first - own.first);
    each.push_back(all->each - own.each);
  }
  state.counters["engine_ttft_us"] = median(own_first);
  state.counters["engine_token_us"] = median(own_each);
  state.counters["added_ttft_us"] = median(first);
  state.counters["added_token_us"] = median(each);
}

// Of submit and next, which generate() is made of: what it adds itself.
void over_submit(benchmark::State& state) {
  auto dir = testing::temp_dir{};
  auto rt = runtime::open(options_of(dir));
  if (!rt)
    return state.SkipWithError("the model does not load");
  auto ratios = std::vector<double>{};
  auto seed = uint64_t{0};
  auto timed = [&](auto ask) {
    auto r = generate_request{};
    r.prompt = prompt_of(++seed);
    r.max_tokens = answer_tokens;
    r.ignore_end = true;
    auto begin = steady::now();
    ask(std::move(r));
    return us(steady::now() - begin);
  };
  for (auto _ : state) {
    auto bare = timed([&](generate_request r) {
      if (auto g = rt->submit(std::move(r), in_between::little))
        while (auto e = g->next())
          benchmark::DoNotOptimize(e);
    });
    auto whole = timed([&](generate_request r) {
      benchmark::DoNotOptimize(generate(*rt, std::move(r)));
    });
    ratios.push_back(whole / bare);
  }
  state.counters["generate_over_submit"] = median(ratios);
}

double resident_kb() {
  auto in = std::ifstream{"/proc/self/statm"};
  auto all = 0.0;
  auto resident = 0.0;
  in >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

void open_and_close(benchmark::State& state) {
  auto dir = testing::temp_dir{};
  auto o = options_of(dir);
  auto once = [&] {
    auto rt = runtime::open(o);
    return rt && embedded(*rt, 1);
  };
  constexpr auto settled = 100;
  auto n = 0;
  auto before = 0.0;
  for (auto _ : state) {
    if (!once())
      return state.SkipWithError("no answer");
    if (++n == settled)
      before = resident_kb();
  }
  if (n > settled)
    state.counters["kb_each_after_100"] =
        (resident_kb() - before) / (n - settled);
}

} // namespace

BENCHMARK_CAPTURE(over_the_engine, tiny, nullptr)
    ->Iterations(300)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(over_the_engine, bundled,
                  TROUPE_SOURCE_DIR "/models/troupe-demo.gguf")
    ->Iterations(100)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(over_submit)->Iterations(300)->Unit(benchmark::kMicrosecond);
BENCHMARK(open_and_close)->Iterations(1000)->Unit(benchmark::kMillisecond);
