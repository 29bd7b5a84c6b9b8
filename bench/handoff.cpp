// Prefill here, decode there: what the handoff adds to the time to the first
// token, how fast KV goes to another process, how much of that is hidden behind
// the computation, and what control messages meet meanwhile.
//
// --model F    a GGUF file instead of a random model of the demo's shape
// --threads N  of each prefill or mixed node

#include <benchmark/benchmark.h>

#include <cstring>

#include "actors/prefill_node.hpp"
#include "bench/handoff_process.hpp"
#include "bench/handoff_setup.hpp"

namespace {

using namespace troupe;
using namespace troupe::bench;

struct {
  std::string model = demo;
  unsigned threads = 1;
} flags;

double median(std::vector<double> xs) {
  std::sort(xs.begin(), xs.end());
  return xs[xs.size() / 2];
}

// A figure's median, least and most.
void report(benchmark::State& state, const std::string& name,
            const std::vector<double>& xs) {
  state.counters[name] = median(xs);
  state.counters[name + "_min"] = *std::min_element(xs.begin(), xs.end());
  state.counters[name + "_max"] = *std::max_element(xs.begin(), xs.end());
}

void report_pings(benchmark::State& state, const std::vector<double>& ms) {
  state.counters["ping_p50_ms"] = ms[ms.size() / 2];
  state.counters["ping_p99_ms"] = ms[ms.size() * 99 / 100];
  state.counters["pings"] = static_cast<double>(ms.size());
}

// -- in one process -----------------------------------------------------------

struct run_of_job {
  double ttft_ms = 0;
  sighting::facts seen;
};

// Runs one job to its end; by way of a relay to `decode` if there is one.
template <class Node>
run_of_job run_job(caf::actor_system& sys, const Node& node, uint32_t tokens,
                   const decode_actor& decode, bool watched) {
  auto seen = std::make_shared<sighting>();
  auto j = prefill_job{};
  j.spec = spec_of(next_seq(), tokens);
  j.stream = sys.spawn(listener, seen);
  j.decode = caf::actor_cast<kv_destination_actor>(decode);
  auto between = relay_actor{};
  if (watched) {
    between = sys.spawn(relay, j.decode, seen);
    j.decode = caf::actor_cast<kv_destination_actor>(between);
  }
  auto stream = j.stream;
  auto begin = now();
  caf::anon_send(node, std::move(j));
  auto r = run_of_job{};
  r.seen = seen->wait(watched);
  r.ttft_ms = to_ms(r.seen.first_token - begin);
  caf::anon_send_exit(stream, caf::exit_reason::user_shutdown);
  if (between)
    caf::anon_send_exit(between, caf::exit_reason::user_shutdown);
  return r;
}

// Prefill and decode node against a mixed node, in turns; the time is that to
// the first token with the handoff. args: tokens, KiB of a push
void time_to_first_token(benchmark::State& state) {
  auto tokens = static_cast<uint32_t>(state.range(0));
  auto m = model_of(flags.model);
  auto config = system_config{};
  auto sys = caf::actor_system{config};
  auto arena = arena_of(*m);
  auto of_prefill = node_of(node_role::prefill, m, arena, flags.threads);
  of_prefill.push_bytes = static_cast<size_t>(state.range(1)) << 10;
  auto prefill = sys.spawn<caf::detached>(prefill_node, of_prefill);
  auto decode = sys.spawn<caf::detached>(
      decode_node, node_of(node_role::decode, m, arena, 1));
  auto mixed = sys.spawn<caf::detached>(
      decode_node, node_of(node_role::mixed, m, arena, flags.threads));
  auto with = std::vector<double>{}, without = with, adds = with;
  // Nothing is timed where every message is looked at.
  auto counted = run_job(sys, prefill, tokens, decode, true);
  run_job(sys, mixed, tokens, {}, false);
  for (auto _ : state) {
    auto a = run_job(sys, prefill, tokens, decode, false);
    auto b = run_job(sys, mixed, tokens, {}, false);
    if (!a.seen.failure.empty() || !b.seen.failure.empty())
      return state.SkipWithError((a.seen.failure + b.seen.failure).c_str());
    with.push_back(a.ttft_ms);
    without.push_back(b.ttft_ms);
    adds.push_back(100 * (a.ttft_ms / b.ttft_ms - 1));
    state.SetIterationTime(a.ttft_ms / 1000);
  }
  report(state, "handoff_ms", with);
  report(state, "mixed_ms", without);
  report(state, "adds_%", adds);
  state.counters["chunks"] = static_cast<double>(counted.seen.chunks);
  state.counters["kv_bytes"] = static_cast<double>(counted.seen.bytes);
  state.counters["bytes_copied"] =
      static_cast<double>(counted.seen.bytes_copied);
  for (auto& a : {caf::actor_cast<caf::actor>(prefill),
                  caf::actor_cast<caf::actor>(decode),
                  caf::actor_cast<caf::actor>(mixed)})
    caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
}

// -- in two processes ---------------------------------------------------------

// KV of `tokens` tokens that nobody had to compute.
struct ready_kv {
  ready_kv(std::shared_ptr<const model> m, uint32_t tokens)
      : of(std::move(m)), pool(arena_of(*of), kv_layout::blocks_for(tokens)) {
    table->grow(pool, tokens);
    table->set_length(tokens);
    // Small numbers, whatever the type; what they are does not matter.
    for (auto i = 0u; i < table->blocks(); ++i)
      for (auto at = size_t{0}; at < pool.layout().block_bytes(); at += 8) {
        auto bits = random_bits(i, at) & 0x2fff2fff2fff2fff;
        std::memcpy(table->block(i) + at, &bits, 8);
      }
  }

  double megabytes() const {
    return 1e-6 * static_cast<double>(table->blocks())
           * static_cast<double>(pool.layout().block_bytes());
  }

  std::shared_ptr<const model> of;
  block_pool pool;
  std::shared_ptr<page_table> table = std::make_shared<page_table>();
};

// Hands it over in pushes of about `push_bytes`. Returns milliseconds, or 0
// after a failure.
double transfer_once(caf::actor_system& sys, const ready_kv& kv,
                     const decode_actor& decode, size_t push_bytes) {
  auto what = std::make_shared<ready_sequence>();
  auto& layout = kv.pool.layout();
  what->spec = spec_of(next_seq(), kv.table->length());
  what->table = kv.table;
  what->offer.seq = what->spec.seq;
  what->offer.epoch = what->spec.epoch;
  what->offer.model = kv.of->digest;
  what->offer.layout = layout;
  what->offer.blocks = kv.table->blocks();
  what->offer.max_blocks = kv_layout::blocks_for(what->spec.max_length());
  what->layers = std::clamp<uint32_t>(
      static_cast<uint32_t>(push_bytes / (what->blocks * layout.layer_bytes())),
      1, layout.layers);
  auto seen = std::make_shared<sighting>();
  what->destination = caf::actor_cast<kv_destination_actor>(decode);
  what->stream = sys.spawn(listener, seen);
  auto begin = now();
  auto source = sys.spawn<caf::detached>(ready_source, what, seen);
  auto facts = seen->wait(true);
  caf::anon_send_exit(what->stream, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(source, caf::exit_reason::user_shutdown);
  if (facts.failure.empty())
    return to_ms(facts.accepted - begin);
  std::fprintf(stderr, "%s\n", facts.failure.c_str());
  return 0;
}

// The KV of 1,500 tokens, ready beforehand.
void transfer(benchmark::State& state, const std::string& name) {
  auto there = decode_process{{"--decode", name}};
  auto m = model_of(name);
  auto config = networked_config{};
  auto sys = caf::actor_system{config};
  auto decode = there.decode(sys);
  auto pong = there.pong(sys);
  if (!there.runs() || !decode || !pong)
    return state.SkipWithError("the other process cannot be reached");
  auto kv = ready_kv{m, 1500};
  auto push_bytes = static_cast<size_t>(state.range(0)) << 10;
  auto rates = std::vector<double>{};
  transfer_once(sys, kv, decode, push_bytes);
  auto pings = pinger{sys, pong};
  for (auto _ : state) {
    auto ms = transfer_once(sys, kv, decode, push_bytes);
    if (ms == 0)
      return state.SkipWithError("the handoff failed");
    rates.push_back(kv.megabytes() / ms);
    state.SetIterationTime(ms / 1000);
  }
  report_pings(state, pings.stop());
  report(state, "GB/s", rates);
  state.counters["MB"] = kv.megabytes();
}

// A prompt of 1,500 tokens, computed here and handed over meanwhile. The time
// is what remains of the handoff once the last layer is computed.
void overlap(benchmark::State& state) {
  auto there = decode_process{{"--decode", flags.model}};
  auto m = model_of(flags.model);
  auto config = networked_config{};
  auto sys = caf::actor_system{config};
  auto decode = there.decode(sys);
  auto pong = there.pong(sys);
  if (!there.runs() || !decode || !pong)
    return state.SkipWithError("the other process cannot be reached");
  auto kv = ready_kv{m, 1500};
  auto prefill = sys.spawn<caf::detached>(
      prefill_node,
      node_of(node_role::prefill, m, arena_of(*m), flags.threads));
  auto alone = std::vector<double>{}, left = alone, hidden = alone,
       ttft = alone;
  run_job(sys, prefill, 1500, decode, true);
  transfer_once(sys, kv, decode, 256 << 10);
  auto pings = pinger{sys, pong};
  for (auto _ : state) {
    auto ms = transfer_once(sys, kv, decode, 256 << 10);
    auto r = run_job(sys, prefill, 1500, decode, true);
    if (ms == 0 || !r.seen.failure.empty())
      return state.SkipWithError(r.seen.failure.c_str());
    // The last layers are handed over at once unless credit is missing; then
    // the token, computed after them, leaves first.
    auto computed = std::min(r.seen.last_chunk, r.seen.first_token);
    alone.push_back(ms);
    left.push_back(to_ms(r.seen.accepted - computed));
    ttft.push_back(r.ttft_ms);
    hidden.push_back(100 * (1 - left.back() / ms));
    state.SetIterationTime(left.back() / 1000);
  }
  report_pings(state, pings.stop());
  report(state, "hidden_%", hidden);
  report(state, "alone_ms", alone);
  report(state, "left_ms", left);
  report(state, "ttft_ms", ttft);
  caf::anon_send_exit(prefill, caf::exit_reason::user_shutdown);
}

BENCHMARK(time_to_first_token)
    ->ArgNames({"tokens", "KiB"})
    ->Args({200, 256})
    ->ArgsProduct({{1500}, {1, 256, 1 << 20}})
    ->Iterations(15)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(transfer, wide, wide)
    ->ArgName("KiB")
    ->Arg(256)
    ->Arg(1024)
    ->Iterations(15)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(overlap)->Iterations(15)->UseManualTime()->Unit(
    benchmark::kMillisecond);

} // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  auto decode = false;
  for (auto i = 1; i + 1 < argc; i += 2) {
    auto flag = std::string{argv[i]};
    decode = decode || flag == "--decode";
    if (flag == "--model" || flag == "--decode")
      flags.model = argv[i + 1];
    else if (flag == "--threads")
      flags.threads =
          static_cast<unsigned>(std::max(1, std::atoi(argv[i + 1])));
  }
  if (decode) {
    auto m = model_of(flags.model);
    return run_decode_process(node_of(node_role::decode, m, arena_of(*m), 1));
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
