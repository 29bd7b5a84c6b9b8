// The memory of KV blocks: taking them and giving them back, putting them in
// order, and the bytes of a handoff.

#include <benchmark/benchmark.h>
#include <cstring>
#include <vector>

#include "bench/timed_loop.hpp"
#include "core/kv/defrag.hpp"
#include "core/kv/handoff.hpp"
#include "tests/support/core/floats.hpp"

namespace {

using namespace troupe;
using troupe::bench::timed_loop;
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
  for (auto _ :
       timed_loop{state, "a zeroed block for 16 tokens of 64 KiB, and back"}) {
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
  auto loop =
      timed_loop{state, "60 blocks of 64 KiB in order again, every other "
                        "sequence having ended"};
  for (auto _ : loop) {
    state.PauseTiming();
    auto tables = m.interleave(static_cast<size_t>(state.range(0)));
    for (auto t = size_t{0}; t < tables.size(); t += 2)
      tables[t].clear();
    auto all = pointers(tables);
    before = fragmentation(all, *m.arena).mean_run();
    state.ResumeTiming();
    loop.restart();
    auto r = compact(all, *m.arena, 1000);
    loop.next();
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
  for (auto _ :
       timed_loop{state, "nothing to move: the page tables are looked through"})
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

/// What is moved: `tokens` tokens of `layout`.
struct cargo {
  kv_layout layout;
  uint32_t tokens = 0;

  uint32_t blocks() const { return kv_layout::blocks_for(tokens); }
  size_t bytes() const { return blocks() * layout.block_bytes(); }
};

// args: layers, heads, tokens, dimensions, bytes of a number
cargo cargo_of(const benchmark::State& state) {
  auto arg = [&](size_t i) { return static_cast<uint32_t>(state.range(i)); };
  auto type = arg(4) == 4 ? kv_dtype::f32 : kv_dtype::f16;
  return {{arg(0), arg(1), arg(3), arg(3), type}, arg(2)};
}

void cargoes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"layers", "heads", "tokens", "dim", "bytes"});
  b->Args({1, 8, 128, 64, 4}); // the reference's
  for (auto tokens : {4, 8, 16, 32})
    b->Args({1, 8, tokens, 32, 4});
  b->Args({6, 4, 1500, 32, 2}); // the bundled model's
}

kv_offer offer_of(const cargo& c) {
  auto o = kv_offer{};
  o.seq = 1;
  o.epoch = 1;
  o.model = "m";
  o.layout = c.layout;
  o.blocks = o.max_blocks = c.blocks();
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

/// A sequence with numbers in its KV.
struct sequence {
  explicit sequence(const cargo& c, bool in_order = true)
      : what(c), arena(make_block_arena(c.layout)),
        pool(arena, 6 * c.blocks()) {
    auto between = page_table{};
    for (auto b = 0u; b < c.blocks(); ++b) {
      table.grow(pool, table.room() + 1);
      for (auto i = 0; !in_order && i < 5; ++i)
        between.grow(pool, between.room() + 1);
      auto numbers =
          testing::random_floats(b, c.layout.block_bytes() / sizeof(float));
      std::memcpy(table.block(b), numbers.data(), c.layout.block_bytes());
    }
    table.set_length(c.tokens);
  }

  std::vector<kv_chunk> pack() {
    auto sender = kv_sender{offer_of(what), {}};
    auto out = kv_outbox{};
    sender.start({}, out);
    out.clear();
    sender.on(kv_grant{1, 1, 1000}, {}, out);
    sender.push(table, 0, what.blocks(), 0, what.layout.layers, {}, out);
    auto chunks = std::vector<kv_chunk>{};
    for (auto& m : out)
      chunks.push_back(std::get<kv_chunk>(std::move(m)));
    return chunks;
  }

  cargo what;
  std::shared_ptr<block_arena> arena;
  block_pool pool;
  page_table table;
};

void rate(benchmark::State& state, const cargo& c) {
  state.counters["B/s"] = counter(static_cast<double>(state.iterations())
                                      * static_cast<double>(c.bytes()),
                                  counter::kIsRate);
}

void pack(benchmark::State& state, bool in_order) {
  auto what = cargo_of(state);
  auto s = sequence{what, in_order};
  auto wire = raw_bytes{};
  for (auto _ : timed_loop{state, "chunks with their digests, and the bytes "
                                  "that are sent of them"}) {
    for (auto& chunk : s.pack()) {
      serialise(chunk, wire);
      benchmark::ClobberMemory();
    }
  }
  rate(state, what);
}

BENCHMARK_CAPTURE(pack, in_order, true)
    ->Name("seed/KVMigrator/pack")
    ->Apply(cargoes);
BENCHMARK_CAPTURE(pack, scattered, false)
    ->Name("KVMigrator/pack_scattered")
    ->Apply(cargoes);

void unpack(benchmark::State& state) {
  auto what = cargo_of(state);
  auto chunks = sequence{what}.pack();
  for (auto& c : chunks) {
    serialise(c, c.payload.bytes);
    c.payload.blocks.clear();
  }
  auto pool = block_pool{make_block_arena(what.layout), what.blocks()};
  auto opts = kv_receiver::options{};
  opts.model = "m";
  for (auto _ : timed_loop{state, "each chunk's digest compared, and its bytes "
                                  "put into blocks of the destination"}) {
    auto out = kv_outbox{};
    auto r = kv_receiver::open(offer_of(what), pool, opts, {}, out);
    for (auto& c : chunks)
      r->on(c, {}, out);
    if (r->failed() || !std::holds_alternative<kv_credit>(out.back()))
      state.SkipWithError("refused");
    benchmark::ClobberMemory();
  }
  rate(state, what);
}

BENCHMARK(unpack)->Name("seed/KVMigrator/unpack")->Apply(cargoes);

} // namespace
