#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/runtime.hpp"
#include "tests/support/core/simulated_node.hpp"

// Requests of the Azure conversation trace of 2023, scaled down, at the bundled
// model on a real mixed node with KV blocks for a quarter of what they would
// hold at the peak. First come, first served (blocks for the whole answer are
// there before it starts), against the preempt scheduler. How long each answer
// is, is its limit, and so known to both.

using namespace troupe;

namespace {

constexpr auto speedup = 8.;

using clock_type = std::chrono::steady_clock;

const std::vector<testing::sim_request>& trace() {
  static auto all = testing::read_trace(
      TROUPE_SOURCE_DIR "/tests/data/traces/azure_conv_2023.csv", speedup, 256);
  return all;
}

struct outcome {
  std::vector<double> seconds; ///< from arrival to end, by request
  double all = 0;              ///< from the first arrival to the last end
  uint64_t tokens = 0;
  uint32_t peak_blocks = 0;
  node_status node;
};

double seconds_since(clock_type::time_point t) {
  return std::chrono::duration<double>(clock_type::now() - t).count();
}

std::optional<outcome> serve(bool preempt, uint32_t blocks) {
  auto o = runtime_options{};
  o.model = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
  o.nodes.mixed.resize(1);
  o.nodes.mixed[0].blocks = blocks;
  o.nodes.mixed[0].cache = 0;
  o.preempt = preempt;
  auto opened = runtime::open(std::move(o));
  if (!opened) {
    std::fprintf(stderr, "%s\n", to_string(opened.failure()).c_str());
    return std::nullopt;
  }
  auto& rt = *opened;
  auto done = outcome{};
  done.seconds.resize(trace().size());
  auto start = clock_type::now();
  auto readers = std::vector<std::thread>{};
  for (size_t i = 0; i < trace().size(); ++i) {
    auto& what = trace()[i];
    auto due = start + std::chrono::nanoseconds{what.arrival_ns};
    while (clock_type::now() < due) {
      std::this_thread::sleep_for(std::min<clock_type::duration>(
          due - clock_type::now(), std::chrono::milliseconds{20}));
      if (auto s = rt.status())
        done.peak_blocks =
            std::max(done.peak_blocks, s->nodes[0].blocks_in_use);
    }
    auto r = generate_request{};
    for (uint32_t k = 0; k < what.prompt; ++k)
      r.prompt.push_back(static_cast<token_id>(10 + (i * 31 + k * 7919) % 400));
    r.max_tokens = what.length;
    r.ignore_end = true;
    done.tokens += what.length;
    auto g = rt.submit(std::move(r));
    if (!g)
      return std::nullopt;
    readers.emplace_back([&done, i, due, g = std::move(*g)]() mutable {
      collect(g);
      done.seconds[i] = seconds_since(due);
    });
  }
  for (auto& t : readers)
    t.join();
  done.all = seconds_since(start);
  if (auto s = rt.status())
    done.node = s->nodes[0];
  return done;
}

void pressure(benchmark::State& state, bool preempt) {
  // Once, with blocks for all.
  static auto peak = serve(true, 8192);
  for (auto _ : state) {
    auto o = peak ? serve(preempt, peak->peak_blocks / 4) : std::nullopt;
    if (!o)
      return state.SkipWithError("it does not run");
    auto& s = o->seconds;
    state.SetIterationTime(std::accumulate(s.begin(), s.end(), 0.)
                           / static_cast<double>(s.size()));
    state.counters["worst_s"] = *std::max_element(s.begin(), s.end());
    state.counters["tokens_per_s"] = static_cast<double>(o->tokens) / o->all;
    state.counters["blocks"] = peak->peak_blocks / 4;
    state.counters["swaps"] = static_cast<double>(o->node.swaps);
    state.counters["recomputes"] = static_cast<double>(o->node.recomputes);
  }
}

} // namespace

// The time is the mean from arrival to the last token.
BENCHMARK_CAPTURE(pressure, first_come_first_served, false)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pressure, preempt_scheduler, true)
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
