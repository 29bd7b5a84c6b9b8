#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/runtime.hpp"

// Moves a request between two nodes of a process while it generates, and looks
// at what its reader sees: the longest wait for a token around the move, in
// decode steps. The time reported is that wait.

using namespace troupe;

namespace {

// Alive while main runs.
std::optional<runtime> nodes;

double seconds_since(std::chrono::steady_clock::time_point t) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t)
      .count();
}

double median(std::vector<double> xs) {
  auto middle = xs.begin() + static_cast<ptrdiff_t>(xs.size() / 2);
  std::nth_element(xs.begin(), middle, xs.end());
  return *middle;
}

// Which node the request runs on is found by asking to move it to either.
result<migrated> move_away(runtime& rt, request_id id, node_id& to) {
  auto m = rt.migrate(id, to);
  if (!m && m.failure().code == errc::invalid_argument)
    m = rt.migrate(id, to = 3 - to);
  return m;
}

void live_migration(benchmark::State& state) {
  auto& rt = *nodes;
  auto length = static_cast<uint32_t>(state.range(0));
  auto pauses = std::vector<double>{};
  auto copied = 0.;
  auto pause_ns = 0.;
  for (auto _ : state) {
    auto r = generate_request{};
    for (uint32_t i = 0; i < length; ++i)
      r.prompt.push_back(static_cast<token_id>(10 + (i * 7919 + 13) % 400));
    r.max_tokens = 120;
    r.ignore_end = true;
    auto g = rt.submit(std::move(r));
    if (!g)
      return state.SkipWithError(g.failure().message.c_str());
    auto gaps = std::vector<double>{};
    auto longest = 0.;
    auto to = node_id{2};
    auto last = std::chrono::steady_clock::now();
    // The move is asked for while tokens come, by another thread.
    auto moved = result<migrated>{migrated{}};
    auto mover = std::thread{};
    for (auto n = 0;; ++n) {
      auto e = g->next();
      if (!e)
        break;
      auto gap = seconds_since(last);
      last = std::chrono::steady_clock::now();
      if (n > 4 && n < 40)
        gaps.push_back(gap);
      if (n > 40)
        longest = std::max(longest, gap);
      if (n == 40)
        mover = std::thread{[&] { moved = move_away(rt, g->id(), to); }};
    }
    mover.join();
    if (!moved)
      return state.SkipWithError(moved.failure().message.c_str());
    copied = moved->tokens;
    pause_ns += moved->pause_ns;
    state.SetIterationTime(longest);
    pauses.push_back(longest / median(gaps));
  }
  state.counters["steps"] = median(pauses);
  state.counters["most_steps"] =
      *std::max_element(pauses.begin(), pauses.end());
  state.counters["handover_us"] =
      pause_ns / 1e3 / static_cast<double>(pauses.size());
  state.counters["tokens"] = copied;
}

} // namespace

BENCHMARK(live_migration)
    ->Arg(200)
    ->Arg(800)
    ->Arg(1800)
    ->UseManualTime()
    ->Iterations(30)
    ->Unit(benchmark::kMicrosecond);

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  auto o = runtime_options{};
  o.model = TROUPE_SOURCE_DIR "/models/troupe-demo.gguf";
  o.nodes.mixed.resize(2);
  o.threads = 1;
  auto opened = runtime::open(std::move(o));
  if (!opened) {
    std::fprintf(stderr, "%s\n", to_string(opened.failure()).c_str());
    return 1;
  }
  nodes.emplace(std::move(*opened));
  benchmark::RunSpecifiedBenchmarks();
  nodes.reset();
}
