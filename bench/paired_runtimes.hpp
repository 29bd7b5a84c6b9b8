#pragma once

#include <algorithm>
#include <chrono>
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

/// Tokens a second of eight answers of 128 tokens at once. `shape` gets each
/// request before it is sent.
template <class Shape>
double serve(runtime& rt, uint64_t seed, Shape shape) {
  using clock = std::chrono::steady_clock;
  constexpr auto at_once = 8;
  auto all = std::vector<generation>{};
  auto tokens = size_t{0};
  auto begin = clock::now();
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
  return static_cast<double>(tokens) / took;
}

/// Counters "on_over_off" and "tokens_per_s_off": medians over pairs of turns,
/// one with and one without what is measured, which take turns in coming
/// first. `options(on)` are those of the runtime, `shape(on, request)` is as of
/// `serve`.
template <class Options, class Shape>
void compare(benchmark::State& state, Options options, Shape shape) {
  constexpr auto batches = 6;
  auto ratios = std::vector<double>{};
  auto rates = std::vector<double>{};
  auto seed = uint64_t{0};
  for (auto _ : state) {
    double rate[2];
    for (auto k : {0, 1}) {
      auto on = (k + static_cast<int>(ratios.size())) % 2 == 1;
      auto rt = runtime::open(options(on));
      if (!rt)
        return state.SkipWithError("the runtime does not start");
      auto with = [&](generate_request& r) { shape(on, r); };
      serve(*rt, ++seed, with);
      auto all = std::vector<double>{};
      for (auto i = 0; i < batches; ++i)
        all.push_back(serve(*rt, ++seed, with));
      rate[on] = median(all);
    }
    ratios.push_back(rate[1] / rate[0]);
    rates.push_back(rate[0]);
  }
  auto sorted = ratios;
  std::sort(sorted.begin(), sorted.end());
  state.counters["tokens_per_s_off"] = median(rates);
  state.counters["on_over_off"] = median(ratios);
  state.counters["least"] = sorted.front();
  state.counters["most"] = sorted.back();
}

} // namespace troupe::bench
