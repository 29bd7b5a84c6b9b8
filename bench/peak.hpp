#pragma once

// What the processor and its memory can do at most, measured in the process
// that measures the kernels, to print each kernel's figure beside it.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <immintrin.h>
#include <map>
#include <vector>

#include "core/tensor/int8.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe::bench {

constexpr auto dots_of_task = 1 << 16;

// 16 independent sums: enough to hide the latency of each.
__attribute__((target("avx512f,avx512vnni"))) inline void dots_512(int* out) {
  __m512i sum[16];
  for (auto i = 0; i < 16; ++i)
    sum[i] = _mm512_set1_epi32(i);
  auto w = _mm512_set1_epi32(*out);
  for (auto n = 0; n < dots_of_task; n += 16)
    for (auto& s : sum)
      s = _mm512_dpbusd_epi32(s, w, w);
  for (auto i = 1; i < 16; ++i)
    sum[0] = _mm512_add_epi32(sum[0], sum[i]);
  __builtin_memcpy(out, sum, 4);
}

inline bool has_vnni() {
  return int8_kernels_for(int8_instruction_set::avx512_vnni) != nullptr;
}

/// One round of vpdpbusd on all threads; how many operations it was, two for
/// each product.
inline double run_dots(thread_pool& pool) {
  auto tasks = 4 * pool.size();
  pool.run(tasks, [](uint32_t, unsigned) {
    auto x = 1;
    benchmark::DoNotOptimize(x);
    dots_512(&x);
    benchmark::DoNotOptimize(x);
  });
  return tasks * (dots_of_task * 128.0);
}

/// Far more than any cache of a few cores holds.
inline std::vector<uint64_t> words_to_read() {
  return std::vector<uint64_t>(size_t{1} << 27, 1);
}

/// Reads all of it once; how many bytes that was.
inline double run_reads(thread_pool& pool, const std::vector<uint64_t>& words) {
  constexpr auto task_words = size_t{1} << 17;
  pool.run(static_cast<uint32_t>(words.size() / task_words),
           [&](uint32_t task, unsigned) {
             auto* at = words.data() + task * task_words;
             uint64_t sum[32] = {};
             for (auto i = size_t{0}; i < task_words; i += 32)
               for (auto j = size_t{0}; j < 32; ++j)
                 sum[j] += at[i + j];
             benchmark::DoNotOptimize(sum);
           });
  return 8.0 * static_cast<double>(words.size());
}

/// The best of some rounds: amount per second.
template <class F>
double best_rate(int rounds, F&& round) {
  using clock = std::chrono::steady_clock;
  auto best = 0.0;
  for (auto i = 0; i < rounds; ++i) {
    auto begin = clock::now();
    auto amount = round();
    auto seconds = std::chrono::duration<double>{clock::now() - begin}.count();
    best = std::max(best, amount / seconds);
  }
  return best;
}

struct peaks {
  double int8_ops;   ///< operations per second; 0 without VNNI
  double read_bytes; ///< bytes per second
};

/// Measured once for each number of threads.
inline const peaks& peaks_of(unsigned threads) {
  static auto known = std::map<unsigned, peaks>{};
  auto [at, added] = known.try_emplace(threads);
  if (added) {
    auto pool = thread_pool{threads};
    auto words = words_to_read();
    at->second = {has_vnni() ? best_rate(50, [&] { return run_dots(pool); })
                             : 0.0,
                  best_rate(5, [&] { return run_reads(pool, words); })};
  }
  return at->second;
}

/// Counters of a kernel, of what one iteration computes and reads from memory,
/// beside the peaks.
inline void count(benchmark::State& state, unsigned threads, double ops,
                  double bytes) {
  using counter = benchmark::Counter;
  auto n = static_cast<double>(state.iterations());
  auto& peak = peaks_of(threads);
  state.counters["OP/s"] = counter(n * ops, counter::kIsRate);
  state.counters["B/s"] = counter(n * bytes, counter::kIsRate);
  state.counters["peak OP/s (int8)"] = peak.int8_ops;
  state.counters["peak B/s"] = peak.read_bytes;
}

} // namespace troupe::bench
