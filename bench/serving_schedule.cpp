#include <benchmark/benchmark.h>

#include <vector>

#include "core/base/random.hpp"
#include "core/serving/preempt_scheduler.hpp"
#include "core/serving/schedule_history.hpp"

using namespace troupe;

namespace {

constexpr auto second = int64_t{1'000'000'000};

// 64 sequences that run, 256 that wait, a quarter of these in the store; as
// many blocks are free as `free` says.
schedule_view loaded(uint32_t free) {
  auto v = schedule_view{};
  v.number = 1;
  v.now_ns = 1000 * second;
  v.free_blocks = free;
  v.max_rows = 64;
  v.block_bytes = 196'608;
  v.store = true;
  auto draw = [](uint64_t i, uint32_t n, uint32_t below) {
    return 1 + static_cast<uint32_t>(random_bits(1, i, n) % below);
  };
  for (seq_id seq = 1; seq <= 64 + 256; ++seq) {
    auto e = schedule_entry{};
    auto runs = seq <= 64;
    e.seq = seq;
    e.phase = runs           ? schedule_phase::running
              : seq % 4 == 0 ? schedule_phase::swapped
                             : schedule_phase::waiting;
    e.priority = static_cast<uint8_t>(draw(seq, 0, 3));
    e.arrival_ns = v.now_ns - draw(seq, 1, 70) * second;
    e.prompt = draw(seq, 2, 500);
    e.generated = e.phase == schedule_phase::waiting ? 0 : draw(seq, 3, 100);
    e.max_tokens = 512;
    e.remaining = draw(seq, 4, 300);
    e.tokens_to_compute = e.prompt + e.generated;
    (runs ? e.blocks : e.blocks_to_start) = e.tokens_to_compute / 16 + 1;
    v.capacity += e.blocks;
    v.entries.push_back(e);
  }
  v.capacity += free;
  return v;
}

void plan(benchmark::State& state, uint32_t free) {
  auto v = loaded(free);
  auto policy = schedule_policy{};
  auto cost = swap_cost{};
  auto victims = size_t{0};
  for (auto _ : state) {
    auto p = plan_schedule(v, policy, cost);
    victims = p.preempt.size();
    benchmark::DoNotOptimize(p.order.data());
  }
  state.counters["victims"] = static_cast<double>(victims);
}

// The pool is empty: victims for all that grow, and for those who gain.
void plan_under_pressure(benchmark::State& state) {
  plan(state, 0);
}

// Blocks enough: only rows are short.
void plan_at_ease(benchmark::State& state) {
  plan(state, 2000);
}

// What an actor adds to it.
void complete_view(benchmark::State& state) {
  auto v = loaded(0);
  auto cost = swap_cost{};
  auto history = schedule_history{};
  for (auto _ : state) {
    v.now_ns += second / 50;
    history.complete(v, cost);
    benchmark::DoNotOptimize(v.entries.data());
  }
}

} // namespace

BENCHMARK(plan_under_pressure)
    ->Name("preempt_scheduler/plan/64_running_256_waiting_no_blocks");
BENCHMARK(plan_at_ease)
    ->Name("preempt_scheduler/plan/64_running_256_waiting_free_blocks");
BENCHMARK(complete_view)->Name("preempt_scheduler/complete_view/320");
