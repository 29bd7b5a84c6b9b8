// Moves a request between two nodes of a process while it generates, and looks
// at what its reader sees: how long the first token of the new node comes after
// the last one of the old node, against the wait for the same token of the same
// request left where it is. Both are run in turns, and told in decode steps.
//
// --model F    a GGUF file instead of the bundled model
// --threads N  of each node

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/runtime.hpp"

using namespace troupe;

namespace {

// Alive while main runs.
std::optional<runtime> nodes;

using clock_type = std::chrono::steady_clock;

double quantile(std::vector<double> xs, double q) {
  auto at = static_cast<size_t>(q * static_cast<double>(xs.size() - 1) + .5);
  auto i = xs.begin() + static_cast<ptrdiff_t>(at);
  std::nth_element(xs.begin(), i, xs.end());
  return *i;
}

// Which node the request runs on is found by asking to move it to either.
result<migrated> move_away(runtime& rt, request_id id) {
  auto m = rt.migrate(id, 2);
  if (!m && m.failure().code == errc::invalid_argument)
    m = rt.migrate(id, 1);
  return m;
}

constexpr auto answer = uint32_t{120};
constexpr auto asked = uint32_t{40}; ///< token at which the move is asked for

struct run {
  std::vector<double> at; ///< seconds at which each token came
  std::optional<migrated> moved;
  /// The first token that the new node computed.
  uint32_t handover = 0;

  double gap(uint32_t token) const { return at[token] - at[token - 1]; }

  /// Median of those that nothing disturbs: neither the prompt nor the move.
  double step() const {
    auto gaps = std::vector<double>{};
    for (uint32_t i = 8; i < asked; ++i)
      gaps.push_back(gap(i));
    return quantile(std::move(gaps), .5);
  }
};

result<run> generate(runtime& rt, uint32_t length, bool move) {
  auto r = generate_request{};
  for (uint32_t i = 0; i < length; ++i)
    r.prompt.push_back(static_cast<token_id>(10 + (i * 7919 + 13) % 400));
  r.max_tokens = answer;
  r.ignore_end = true;
  auto g = rt.submit(std::move(r));
  if (!g)
    return g.failure();
  auto did = run{};
  // The move is asked for while tokens come, by another thread.
  auto how = result<migrated>{migrated{}};
  auto mover = std::thread{};
  auto start = clock_type::now();
  while (auto e = g->next()) {
    auto now = std::chrono::duration<double>(clock_type::now() - start).count();
    auto* t = std::get_if<token_event>(&*e);
    if (t == nullptr)
      continue;
    did.at.insert(did.at.end(), t->tokens.size(), now);
    if (move && !mover.joinable() && did.at.size() > asked)
      mover = std::thread{[&] { how = move_away(rt, g->id()); }};
  }
  if (mover.joinable())
    mover.join();
  if (!how)
    return how.failure();
  if (did.at.size() != answer)
    return error{errc::abandoned, "the answer is cut short"};
  if (move) {
    did.moved = *how;
    // The last token of the old node has no KV yet.
    did.handover = did.moved->tokens + 1 - length;
  }
  return did;
}

void live_migration(benchmark::State& state) {
  auto& rt = *nodes;
  auto length = static_cast<uint32_t>(state.range(0));
  auto moved = std::vector<double>{};
  auto still = std::vector<double>{};
  auto lost = std::vector<double>{};
  auto pause = std::vector<double>{};
  auto steps = std::vector<double>{};
  auto tokens = std::vector<double>{};
  for (auto _ : state) {
    auto a = generate(rt, length, true);
    if (!a)
      return state.SkipWithError(to_string(a.failure()).c_str());
    auto b = generate(rt, length, false);
    if (!b)
      return state.SkipWithError(to_string(b.failure()).c_str());
    auto n = a->handover;
    if (n <= asked || n + 8 >= answer)
      return state.SkipWithError("the move came too late to be measured");
    auto step = b->step();
    state.SetIterationTime(a->gap(n));
    moved.push_back(a->gap(n) / step);
    still.push_back(b->gap(n) / step);
    auto around = [n](const run& r) { return r.at[n + 4] - r.at[asked]; };
    lost.push_back((around(*a) - around(*b)) / step);
    pause.push_back(static_cast<double>(a->moved->pause_ns) / 1e3);
    steps.push_back(step * 1e6);
    tokens.push_back(n - asked);
  }
  auto report = [&](const char* what, const std::vector<double>& xs) {
    auto name = std::string{what};
    state.counters[name] = quantile(xs, .5);
    state.counters[name + "_p10"] = quantile(xs, .1);
    state.counters[name + "_p90"] = quantile(xs, .9);
  };
  report("moved", moved); // the wait for the first token of the new node, steps
  report("still", still); // for the same one without a move
  report("lost", lost); // what the move costs from its start to its end, steps
  state.counters["step_us"] = quantile(steps, .5);
  state.counters["handover_us"] = quantile(pause, .5);
  state.counters["copied_ahead_for"] = quantile(tokens, .5);
}

} // namespace

// The time is the wait for the first token of the new node.
BENCHMARK(live_migration)
    ->Arg(200)
    ->Arg(800)
    ->Arg(1500)
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
  o.gather_within = {}; // or tokens would tell of other steps than their own
  for (auto i = 1; i + 1 < argc; i += 2) {
    auto flag = std::string{argv[i]};
    if (flag == "--model")
      o.model = argv[i + 1];
    else if (flag == "--threads")
      o.threads = static_cast<unsigned>(std::max(1, std::atoi(argv[i + 1])));
  }
  auto opened = runtime::open(std::move(o));
  if (!opened) {
    std::fprintf(stderr, "%s\n", to_string(opened.failure()).c_str());
    return 1;
  }
  nodes.emplace(std::move(*opened));
  benchmark::RunSpecifiedBenchmarks();
  nodes.reset();
}
