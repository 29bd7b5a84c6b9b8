#include <cmath>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/timed_loop.hpp"
#include "core/sampling/fused_sampler.hpp"

using namespace troupe;
using troupe::bench::timed_loop;

namespace {

constexpr auto vocab = size_t{32000};

std::vector<float> normal_logits(size_t n) {
  auto source = std::mt19937{1};
  auto normal = std::normal_distribution<float>{};
  auto out = std::vector<float>(n);
  for (auto& x : out)
    x = normal(source);
  return out;
}

sampling_params usual() {
  auto p = sampling_params{};
  p.temperature = 0.8f;
  p.top_k = 50;
  p.top_p = 0.9f;
  p.min_p = 0.05f;
  p.repetition_penalty = 1.1f;
  return p;
}

// One vector of `vocab` logits with an occasional other parameter.
void one(benchmark::State& state, const char* what, const sampling_params& p,
         const std::vector<token_id>& seen) {
  auto logits = normal_logits(vocab);
  auto s = fused_sampler{};
  auto position = uint64_t{0};
  for (auto _ : timed_loop{state, what}) {
    auto out = s.sample(logits, seen, {}, position++, p);
    benchmark::DoNotOptimize(out->id);
  }
}

// 32,000 normal logits, tokens 1 to 5 seen.
void sample(benchmark::State& state) {
  one(state, "32,000 logits: penalties, top-k, top-p, min-p, draw", usual(),
      {1, 2, 3, 4, 5});
}

// 16 such vectors one after the other, nothing seen.
void sample_batch(benchmark::State& state) {
  constexpr auto batch = size_t{16};
  auto logits = normal_logits(batch * vocab);
  auto p = usual();
  auto s = fused_sampler{};
  auto position = uint64_t{0};
  for (auto _ : timed_loop{
           state,
           "16 rows of 32,000 logits: penalties, top-k, top-p, min-p, draw"}) {
    for (auto b = size_t{0}; b < batch; ++b) {
      auto row = std::span<const float>{logits}.subspan(b * vocab, vocab);
      auto out = s.sample(row, {}, {}, position, p);
      benchmark::DoNotOptimize(out->id);
    }
    ++position;
  }
}

void greedy(benchmark::State& state) {
  auto p = sampling_params{};
  p.temperature = 0.f;
  one(state, "the largest of 32,000", p, {});
}

void whole_softmax(benchmark::State& state) {
  one(state, "drawn of all 32,000", {}, {});
}

void min_p(benchmark::State& state) {
  auto p = sampling_params{};
  p.min_p = 0.05f;
  one(state, "min-p alone", p, {});
}

void top_p(benchmark::State& state) {
  auto p = sampling_params{};
  p.top_p = 0.9f;
  one(state, "top-p alone", p, {});
}

void logprobs(benchmark::State& state) {
  auto p = usual();
  p.want_logprob = true;
  p.logprobs = 5;
  one(state, "as usual, with 5 log-probabilities", p, {});
}

} // namespace

BENCHMARK(sample)
    ->Name("seed/FusedSampler/sample")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(sample_batch)
    ->Name("seed/FusedSampler/sample_batch")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(greedy)->Name("FusedSampler/greedy")->Unit(benchmark::kMicrosecond);
BENCHMARK(whole_softmax)
    ->Name("FusedSampler/whole_softmax")
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(min_p)->Name("FusedSampler/min_p")->Unit(benchmark::kMicrosecond);
BENCHMARK(top_p)->Name("FusedSampler/top_p")->Unit(benchmark::kMicrosecond);
BENCHMARK(logprobs)
    ->Name("FusedSampler/top_k_with_5_logprobs")
    ->Unit(benchmark::kMicrosecond);
