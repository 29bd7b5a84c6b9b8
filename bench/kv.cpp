// The memory of KV blocks: taking them and giving them back, putting them in
// order, and the bytes of a handoff.

#include <benchmark/benchmark.h>
#include <cstring>
#include <vector>

#include "core/kv/defrag.hpp"
#include "core/kv/handoff.hpp"
#include "tests/support/core/floats.hpp"

namespace {

using namespace troupe;
using counter = benchmark::Counter;

// K and V of 8 heads of 64 numbers in float32: 64 KiB a block.
const auto layout = kv_layout{1, 8, 64, 64, kv_dtype::f32};
constexpr auto live_blocks = 60u;
constexpr auto pool_blocks = 120u;

struct memory {
  std::shared_ptr<block_arena> arena = make_block_arena(layout);
  block_pool pool{arena, pool_blocks};

  bool grow(page_table& table) {
    if (!table.grow(pool, table.room() + 1))
      return false;
    std::memset(table.block(table.blocks() - 1), 1, layout.block_bytes());
    return true;
  }

  /// `count` sequences that took their blocks in turns until none was left.
  std::vector<page_table> interleave(size_t count) {
    auto tables = std::vector<page_table>(count);
    for (auto t = size_t{0}; grow(tables[t]); t = (t + 1) % count)
      ;
    return tables;
  }
};

std::vector<page_table*> pointers(std::vector<page_table>& tables) {
  auto all = std::vector<page_table*>{};
  for (auto& t : tables)
    all.push_back(&t);
  return all;
}

// -- blocks -------------------------------------------------------------------

// A block for 16 tokens, zeroed, and back, half of the pool being in use.
void allocate_free(benchmark::State& state) {
  auto m = memory{};
  {
    auto all = m.interleave(1); // every slot was in use before
  }
  auto live = m.pool.take(live_blocks);
  auto table = page_table{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(table.grow(m.pool, kv_block_tokens));
    benchmark::ClobberMemory();
    table.clear();
  }
}

BENCHMARK(allocate_free)->Name("seed/KVDefragmenter/allocate+free");

// -- order --------------------------------------------------------------------

// Sequences that grew in turns; every other one ends, and the 60 blocks of the
// rest are put in order. args: sequences
void defrag(benchmark::State& state) {
  auto m = memory{};
  auto copies = 0.0;
  auto before = 0.0, after = 0.0;
  for (auto _ : state) {
    state.PauseTiming();
    auto tables = m.interleave(static_cast<size_t>(state.range(0)));
    for (auto t = size_t{0}; t < tables.size(); t += 2)
      tables[t].clear();
    auto all = pointers(tables);
    before = fragmentation(all, *m.arena).mean_run();
    state.ResumeTiming();
    auto r = compact(all, *m.arena, 1000);
    state.PauseTiming();
    copies += r.copies;
    auto f = fragmentation(all, *m.arena);
    if (f.used != live_blocks || f.extent != live_blocks)
      state.SkipWithError("not in order");
    after = f.mean_run();
    tables.clear();
    state.ResumeTiming();
  }
  state.counters["copies"] = counter(copies, counter::kAvgIterations);
  state.counters["run before"] = before;
  state.counters["run after"] = after;
}

BENCHMARK(defrag)
    ->Name("seed/KVDefragmenter/defrag")
    ->ArgName("sequences")
    ->Arg(2)
    ->Arg(10)
    ->Iterations(200);

// The same once all is in order: what a call costs that has nothing to do.
// args: blocks
void defrag_nothing(benchmark::State& state) {
  auto blocks = static_cast<uint32_t>(state.range(0));
  auto small = layout;
  small.k_dim = small.v_dim = blocks > pool_blocks ? 16 : 64;
  auto arena = make_block_arena(small);
  auto pool = block_pool{arena, blocks};
  auto tables = std::vector<page_table>(blocks / 30);
  for (auto& t : tables)
    t.grow(pool, 30 * kv_block_tokens);
  auto all = pointers(tables);
  for (auto _ : state)
    if (!compact(all, *arena, 1000).done)
      state.SkipWithError("there was something to do");
}

BENCHMARK(defrag_nothing)
    ->Name("seed/KVDefragmenter/defrag/packed")
    ->ArgName("blocks")
    ->Arg(60)
    ->Arg(6000);

// Gives the pages of 60 free slots back to the system.
void trim(benchmark::State& state) {
  auto given = 0.0;
  for (auto _ : state) {
    state.PauseTiming();
    auto m = memory{};
    auto tables = m.interleave(2);
    tables[0].clear();
    auto all = pointers(tables);
    compact(all, *m.arena, 1000);
    state.ResumeTiming();
    given += static_cast<double>(m.arena->trim(0, SIZE_MAX));
    state.PauseTiming();
    tables.clear();
    m = {};
    state.ResumeTiming();
  }
  state.counters["bytes"] = counter(given, counter::kAvgIterations);
}

BENCHMARK(trim)->Name("kv/trim")->Iterations(200);

// -- handoff ------------------------------------------------------------------

constexpr auto tokens = 128u;
constexpr auto blocks_of_tokens = tokens / kv_block_tokens;

kv_offer offer() {
  auto o = kv_offer{};
  o.seq = 1;
  o.epoch = 1;
  o.model = "m";
  o.layout = layout;
  o.blocks = o.max_blocks = blocks_of_tokens;
  return o;
}

// The raw bytes of a chunk, as they go over a network.
void serialise(const kv_chunk& c, raw_bytes& out) {
  auto slice = c.layers * c.layer_bytes;
  out.resize(c.blocks * slice);
  for (auto i = 0u; i < c.blocks; ++i)
    std::memcpy(out.data() + i * slice,
                c.payload.blocks[i].get() + c.first_layer * c.layer_bytes,
                slice);
}

struct sequence : memory {
  explicit sequence(bool in_order = true) {
    auto one = page_table{};
    for (auto b = 0u; b < blocks_of_tokens; ++b) {
      grow(table);
      for (auto i = 0; !in_order && i < 5; ++i)
        grow(one);
      auto numbers =
          testing::random_floats(b, layout.block_bytes() / sizeof(float));
      std::memcpy(table.block(b), numbers.data(), layout.block_bytes());
    }
    table.set_length(tokens);
  }

  kv_chunk pack() {
    auto sender = kv_sender{offer(), {}};
    auto out = kv_outbox{};
    sender.start({}, out);
    sender.on(kv_grant{1, 1, 4}, {}, out);
    sender.push(table, 0, blocks_of_tokens, 0, 1, {}, out);
    return std::get<kv_chunk>(std::move(out.back()));
  }

  page_table table;
};

void rate(benchmark::State& state) {
  state.counters["B/s"] = counter(
      static_cast<double>(state.iterations())
          * static_cast<double>(blocks_of_tokens * layout.block_bytes()),
      counter::kIsRate);
}

// K and V [8, 128, 64]: a chunk with its digest, then its bytes.
// args: whether the blocks lie side by side
void pack(benchmark::State& state) {
  auto s = sequence{state.range(0) == 1};
  auto wire = raw_bytes{};
  for (auto _ : state) {
    auto chunk = s.pack();
    serialise(chunk, wire);
    benchmark::ClobberMemory();
  }
  rate(state);
}

BENCHMARK(pack)
    ->Name("seed/KVMigrator/pack")
    ->ArgName("in_order")
    ->Arg(1)
    ->Arg(0);

// The digest of what came is compared, and the bytes are put into blocks of
// the destination, which are given back.
void unpack(benchmark::State& state) {
  auto s = sequence{};
  auto chunk = s.pack();
  serialise(chunk, chunk.payload.bytes);
  chunk.payload.blocks.clear();
  auto there = memory{};
  for (auto _ : state) {
    auto out = kv_outbox{};
    auto opts = kv_receiver::options{};
    opts.model = "m";
    auto r = kv_receiver::open(offer(), there.pool, opts, {}, out);
    r->on(chunk, {}, out);
    if (r->failed() || !std::holds_alternative<kv_credit>(out.back()))
      state.SkipWithError("refused");
    benchmark::ClobberMemory();
  }
  rate(state);
}

BENCHMARK(unpack)->Name("seed/KVMigrator/unpack");

} // namespace
