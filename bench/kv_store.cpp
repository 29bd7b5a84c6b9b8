// A sequence leaves its node and comes back: 128 KiB of KV, 32 tokens of 4
// layers, 4 heads and 32 dimensions in float32, in two blocks.

#include <benchmark/benchmark.h>

#include <deque>
#include <filesystem>
#include <optional>

#include "bench/timed_loop.hpp"
#include "core/kv/store.hpp"

using namespace troupe;
using troupe::bench::timed_loop;

namespace {

constexpr auto layout = kv_layout{4, 4, 32, 32, kv_dtype::f32};
constexpr auto tokens = uint32_t{32};
constexpr auto blocks = tokens / kv_block_tokens;
constexpr auto kv_bytes = blocks * 64 * 1024;

// The whole handoff, every message of it delivered at once.
std::optional<page_table> hand_over(const page_table& table, seq_id seq,
                                    epoch_t epoch, block_pool& to) {
  auto now = time_point{};
  auto offer = kv_offer{};
  offer.seq = seq;
  offer.epoch = epoch;
  offer.layout = layout;
  offer.blocks = offer.max_blocks = blocks;
  auto out = kv_outbox{};
  auto back = kv_outbox{};
  auto sender = kv_sender{offer, {}};
  sender.start(now, out);
  auto receiver = kv_receiver::open(offer, to, {"", 8, {}}, now, back);
  if (!receiver)
    return std::nullopt;
  out.clear();
  sender.on(std::get<kv_grant>(back[0]), now, out);
  sender.push(table, 0, blocks, 0, layout.layers, now, out);
  sender.finish(tokens, {1}, now, out);
  while (!sender.done() && !out.empty()) {
    back.clear();
    for (auto& m : std::exchange(out, {}))
      if (auto* chunk = std::get_if<kv_chunk>(&m))
        receiver->on(*chunk, now, back);
      else if (auto* commit = std::get_if<kv_commit>(&m))
        receiver->on(*commit, now, back);
    for (auto& m : back)
      if (auto* credit = std::get_if<kv_credit>(&m))
        sender.on(*credit, now, out);
      else if (auto* accepted = std::get_if<kv_accepted>(&m))
        sender.on(*accepted);
  }
  if (!sender.done())
    return std::nullopt;
  return receiver->take_table();
}

// Out by one handoff and back by another. In memory, or by the file: what is
// swapped out then makes way for one that came later.
void swap_and_resume(benchmark::State& state, bool by_file) {
  auto arena = make_block_arena(layout);
  auto node = block_pool{arena, 2 * blocks};
  auto file = std::optional<swap_file>{};
  if (by_file) {
    auto opened =
        open_nameless_file(std::filesystem::temp_directory_path().string());
    if (!opened)
      return state.SkipWithError(opened.failure().message.c_str());
    file.emplace(*opened, layout.block_bytes(), 2 * blocks);
  }
  auto store = sequence_store{arena, blocks, std::move(file)};
  auto table = page_table{};
  table.grow(node, tokens);
  table.set_length(tokens);
  auto epoch = epoch_t{0};
  for (auto _ : timed_loop{
           state,
           "128 KiB out and back by a handoff each, with their digests"}) {
    auto kept = hand_over(table, 1, ++epoch, store.pool());
    if (!kept)
      return state.SkipWithError("not swapped out");
    table.clear();
    store.put(1, std::move(*kept));
    if (by_file && !store.make_room(blocks))
      return state.SkipWithError("not spilled");
    auto found = store.pin(1);
    if (!found)
      return state.SkipWithError("not read back");
    auto resumed = hand_over(**found, 1, ++epoch, node);
    if (!resumed)
      return state.SkipWithError("not resumed");
    store.erase(1);
    table = std::move(*resumed);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * kv_bytes);
}

// The blocks are given up and the sequence queued; its turn comes, and its
// blocks are reserved again. Computing them is prefill, measured elsewhere.
void recompute_and_resume(benchmark::State& state) {
  auto arena = make_block_arena(layout);
  auto node = block_pool{arena, blocks};
  auto others = block_pool{arena, blocks};
  auto written = *others.take(blocks);
  auto queue = std::deque<seq_id>{};
  auto table = page_table{};
  table.reserve(node, tokens);
  for (auto _ : timed_loop{
           state, "blocks given up and reserved again; prefill is not in it"}) {
    for (uint32_t i = 0; i < blocks; ++i)
      table.lease(i).attach(written[i].ref()); // "prefilled"
    table.set_length(tokens);
    table.clear();
    queue.push_back(1);
    benchmark::DoNotOptimize(queue.front());
    queue.pop_front();
    if (!table.reserve(node, tokens))
      return state.SkipWithError("no blocks");
  }
}

void swap_in_memory(benchmark::State& state) {
  swap_and_resume(state, false);
}

void swap_by_file(benchmark::State& state) {
  swap_and_resume(state, true);
}

} // namespace

BENCHMARK(swap_in_memory)->Name("seed/PreemptScheduler/preempt(swap)+resume");
BENCHMARK(recompute_and_resume)
    ->Name("seed/PreemptScheduler/preempt(recompute)+resume");
BENCHMARK(swap_by_file)->Name("kv_store/preempt(swap to file)+resume");
