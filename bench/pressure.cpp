// Requests of the Azure conversation trace of 2023, scaled down, at a model on
// a real mixed node with KV blocks for a quarter of what they hold at the peak
// if there is memory for all (under the preempt scheduler, which lets in no
// more prompts than it needs). First come, first served (blocks for the whole
// answer are there before it starts), against the preempt scheduler, in turns.
// How long each answer is, is its limit, and so known to both.
//
// Arrivals keep their pattern, at a pace measured at the start: what comes is
// so many percent (the argument) of what the node can do, if all requests were
// there at once and memory for them. So results depend on the speed of the
// machine as little as can be.
//
// --model F    a GGUF file instead of the bundled model
// --threads N  of the node; by default all cores

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/runtime.hpp"
#include "tests/support/core/simulated_node.hpp"

using namespace troupe;

namespace {

using clock_type = std::chrono::steady_clock;

constexpr auto plenty = uint32_t{8192}; ///< blocks
constexpr auto longest = uint32_t{256}; ///< tokens of an answer

struct {
  std::string model = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
  unsigned threads = 0;
} flags;

const std::vector<testing::sim_request>& trace() {
  static auto all = testing::read_trace(
      TROUPE_SOURCE_DIR "/tests/data/traces/azure_conv_2023.csv", 1, longest);
  return all;
}

struct outcome {
  double mean = 0;       ///< seconds from arrival to end
  double worst = 0;      ///< the same
  double all = 0;        ///< from the first arrival to the last end
  double per_second = 0; ///< tokens of answers
  uint32_t peak_blocks = 0;
  node_status node;
};

double seconds_since(clock_type::time_point t) {
  return std::chrono::duration<double>(clock_type::now() - t).count();
}

double median(std::vector<double> xs) {
  auto middle = xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2);
  std::nth_element(xs.begin(), middle, xs.end());
  return *middle;
}

generate_request request_of(size_t i) {
  auto& what = trace()[i];
  auto r = generate_request{};
  for (uint32_t k = 0; k < what.prompt; ++k)
    r.prompt.push_back(static_cast<token_id>(10 + (i * 31 + k * 7919) % 400));
  r.max_tokens = what.length;
  r.ignore_end = true;
  return r;
}

// Arrivals take `pace` of the time of the trace.
std::optional<outcome> serve(bool preempt, uint32_t blocks, double pace) {
  auto o = runtime_options{};
  o.model = flags.model;
  o.threads = flags.threads;
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
  auto seconds = std::vector<double>(trace().size(), -1);
  auto tokens = uint64_t{0};
  auto start = clock_type::now();
  {
    auto watcher = std::optional<std::jthread>{};
    if (blocks == plenty)
      watcher.emplace([&](const std::stop_token& over) {
        for (; !over.stop_requested();
             std::this_thread::sleep_for(std::chrono::milliseconds{5}))
          if (auto s = rt.status())
            done.peak_blocks =
                std::max(done.peak_blocks, s->nodes[0].blocks_in_use);
      });
    auto readers = std::vector<std::jthread>{};
    for (size_t i = 0; i < trace().size(); ++i) {
      auto due = start
                 + std::chrono::nanoseconds{static_cast<int64_t>(
                     static_cast<double>(trace()[i].arrival_ns) * pace)};
      std::this_thread::sleep_until(due);
      auto g = rt.submit(request_of(i));
      if (!g)
        return std::nullopt;
      readers.emplace_back([&, i, due, g = std::move(*g)]() mutable {
        auto whole = collect(g);
        if (whole.tokens.size() == trace()[i].length)
          seconds[i] = seconds_since(due);
      });
      tokens += trace()[i].length;
    }
  }
  done.all = seconds_since(start);
  if (std::ranges::min(seconds) < 0)
    return std::nullopt; // an answer is cut short
  done.mean = std::accumulate(seconds.begin(), seconds.end(), 0.)
              / static_cast<double>(seconds.size());
  done.worst = std::ranges::max(seconds);
  done.per_second = static_cast<double>(tokens) / done.all;
  if (auto s = rt.status())
    done.node = s->nodes[0];
  return done;
}

void pressure(benchmark::State& state) {
  auto load = static_cast<double>(state.range(0)) / 100;
  // Memory for all: how fast the node is, and what the arrivals hold.
  static auto at_once = serve(false, plenty, 0);
  if (!at_once)
    return state.SkipWithError("it does not run");
  auto span = static_cast<double>(trace().back().arrival_ns) / 1e9;
  auto pace = at_once->all / load / span;
  auto unlimited = serve(true, plenty, pace);
  auto blocks = uint32_t{0};
  for (auto& r : trace())
    blocks = std::max(blocks, kv_layout::blocks_for(r.prompt + r.length));
  if (unlimited)
    blocks = std::max(blocks, unlimited->peak_blocks / 4);
  auto sooner = std::vector<double>{};
  auto faster = std::vector<double>{};
  auto fcfs = std::vector<outcome>{};
  auto srpt = std::vector<outcome>{};
  for (auto _ : state) {
    auto turn = fcfs.size() % 2 == 0;
    auto a = serve(turn, blocks, pace);
    auto b = serve(!turn, blocks, pace);
    if (!unlimited || !a || !b)
      return state.SkipWithError("it does not run");
    if (turn)
      std::swap(a, b);
    fcfs.push_back(*a);
    srpt.push_back(*b);
    sooner.push_back(a->mean / b->mean);
    faster.push_back(b->per_second / a->per_second);
    state.SetIterationTime(b->mean);
  }
  auto of = [](const std::vector<outcome>& all, auto what) {
    auto xs = std::vector<double>{};
    for (auto& o : all)
      xs.push_back(static_cast<double>(what(o)));
    return median(std::move(xs));
  };
  auto mean = [](auto& o) { return o.mean; };
  auto worst = [](auto& o) { return o.worst; };
  auto& c = state.counters;
  c["blocks"] = blocks;
  c["pace"] = pace;
  c["mean_unlimited"] = unlimited->mean;
  c["mean_fcfs"] = of(fcfs, mean);
  c["mean_srpt"] = of(srpt, mean);
  c["sooner"] = median(sooner);
  c["sooner_min"] = std::ranges::min(sooner);
  c["sooner_max"] = std::ranges::max(sooner);
  c["worst_fcfs"] = of(fcfs, worst);
  c["worst_srpt"] = of(srpt, worst);
  c["tokens_fcfs"] = of(fcfs, [](auto& o) { return o.per_second; });
  c["tokens_ratio"] = median(faster);
  c["tokens_min"] = std::ranges::min(faster);
  c["tokens_max"] = std::ranges::max(faster);
  c["swaps"] = of(srpt, [](auto& o) { return o.node.swaps; });
  c["recomputes"] = of(srpt, [](auto& o) { return o.node.recomputes; });
}

} // namespace

// The time is the mean from arrival to the last token, with the preempt
// scheduler.
BENCHMARK(pressure)->Arg(100)->Arg(150)->UseManualTime()->Iterations(5)->Unit(
    benchmark::kMillisecond);

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  for (auto i = 1; i + 1 < argc; i += 2) {
    auto flag = std::string{argv[i]};
    if (flag == "--model")
      flags.model = argv[i + 1];
    else if (flag == "--threads")
      flags.threads =
          static_cast<unsigned>(std::max(1, std::atoi(argv[i + 1])));
  }
  benchmark::RunSpecifiedBenchmarks();
}
