#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <vector>

#include <benchmark/benchmark.h>

#include "runtime/runtime.hpp"

namespace troupe::bench {

inline double median(std::vector<double> xs) {
  auto middle = xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2);
  std::nth_element(xs.begin(), middle, xs.end());
  return *middle;
}

inline runtime_options demo_options() {
  auto o = runtime_options{};
  o.model = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
  return o;
}

/// Tokens a second, of the clock and of the processor's time.
struct rates {
  double real = 0;
  double cpu = 0;
};

inline double processor_seconds() {
  auto t = timespec{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// Of eight answers of 128 tokens at once. `shape` gets each request before it
/// is sent.
template <class Shape>
rates serve(runtime& rt, uint64_t seed, Shape shape) {
  using clock = std::chrono::steady_clock;
  constexpr auto at_once = 8;
  auto all = std::vector<generation>{};
  auto tokens = size_t{0};
  auto begin = clock::now();
  auto worked = processor_seconds();
  for (auto i = 0; i < at_once; ++i) {
    auto r = generate_request{};
    r.prompt.assign(64, static_cast<token_id>(300 + (seed * 31 + i) % 3000));
    r.max_tokens = 128;
    r.ignore_end = true;
    r.sampling.seed = seed + static_cast<uint64_t>(i);
    shape(r);
    if (auto g = rt.submit(std::move(r)))
      all.push_back(std::move(*g));
  }
  for (auto& g : all)
    tokens += collect(g).tokens.size();
  auto took = std::chrono::duration<double>(clock::now() - begin).count();
  worked = processor_seconds() - worked;
  auto n = static_cast<double>(tokens);
  return {n / took, n / worked};
}

/// Counters "on_over_off" and "tokens_per_s_off": medians over pairs of turns,
/// one with and one without what is measured, which take turns in coming
/// first; "cpu_on_over_off" is the same of the processor's time, which others
/// on the machine move less. `options(on)` are those of the runtime, `shape(on,
/// request)` is as of `serve`.
template <class Options, class Shape>
void compare(benchmark::State& state, Options options, Shape shape) {
  constexpr auto batches = 6;
  auto ratios = std::vector<double>{};
  auto of_cpu = std::vector<double>{};
  auto without = std::vector<double>{};
  auto seed = uint64_t{0};
  for (auto _ : state) {
    rates rate[2];
    for (auto k : {0, 1}) {
      auto on = (k + static_cast<int>(ratios.size())) % 2 == 1;
      auto rt = runtime::open(options(on));
      if (!rt)
        return state.SkipWithError("the runtime does not start");
      auto with = [&](generate_request& r) { shape(on, r); };
      serve(*rt, ++seed, with);
      auto real = std::vector<double>{};
      auto cpu = std::vector<double>{};
      for (auto i = 0; i < batches; ++i) {
        auto r = serve(*rt, ++seed, with);
        real.push_back(r.real);
        cpu.push_back(r.cpu);
      }
      rate[on] = {median(real), median(cpu)};
    }
    ratios.push_back(rate[1].real / rate[0].real);
    of_cpu.push_back(rate[1].cpu / rate[0].cpu);
    without.push_back(rate[0].real);
  }
  auto sorted = ratios;
  std::sort(sorted.begin(), sorted.end());
  state.counters["tokens_per_s_off"] = median(without);
  state.counters["on_over_off"] = median(ratios);
  state.counters["cpu_on_over_off"] = median(of_cpu);
  state.counters["least"] = sorted.front();
  state.counters["most"] = sorted.back();
}

} // namespace troupe::bench
