// What several ranks do together: sums and exchanges, shards of a matrix and of
// a model, rows of a sequence. Ranks are threads of this process; a figure is
// that of rank 0, which waits for all.

#include <barrier>
#include <benchmark/benchmark.h>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "bench/timed_loop.hpp"
#include "core/engine/engine.hpp"
#include "core/parallel/sequence_scatter.hpp"
#include "core/parallel/shared_ranks.hpp"
#include "core/parallel/tensor_shard.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/pack.hpp"
#include "tests/core/engine/random_model.hpp"

namespace {

using namespace troupe;
using bench::timed_loop;
using test::random_values;

// -- the ranks ----------------------------------------------------------------

/// Calls make(ranks) once and what it returns again and again, on all ranks,
/// rank 0 being this thread. They all set off together for every `batch` calls.
/// `what` says what a call does.
template <class Make>
void on_all_ranks(benchmark::State& state, uint32_t n, const char* what,
                  Make make, int batch = 16) {
  auto group = shared_ranks{n};
  auto go_on = true;
  auto start = std::barrier{static_cast<ptrdiff_t>(n)};
  auto threads = std::vector<std::jthread>{};
  for (auto r = 1u; r < n; ++r)
    threads.emplace_back([&, mine = group.join(r)] {
      auto fn = make(*mine);
      for (start.arrive_and_wait(); go_on; start.arrive_and_wait())
        for (auto i = 0; i < batch; ++i)
          fn();
    });
  auto mine = group.join(0);
  auto fn = make(*mine);
  auto loop = timed_loop{state, what};
  while (state.KeepRunningBatch(batch)) {
    start.arrive_and_wait();
    loop.restart();
    for (auto i = 0; i < batch; ++i) {
      fn();
      loop.next();
    }
  }
  state.counters["bytes_sent"] =
      benchmark::Counter(static_cast<double>(mine->bytes_sent()),
                         benchmark::Counter::kAvgIterations);
  go_on = false;
  start.arrive_and_wait();
}

void all_reduce(benchmark::State& state) {
  auto n = static_cast<uint32_t>(state.range(0));
  auto size = static_cast<size_t>(state.range(1));
  on_all_ranks(state, n, "sums on all ranks", [&](collective& ranks) {
    return [&, data = std::vector<float>(size)]() mutable {
      static_cast<void>(ranks.all_reduce(data));
    };
  });
}

BENCHMARK(all_reduce)
    ->Name("parallel/all_reduce")
    ->ArgNames({"ranks", "floats"})
    ->ArgsProduct({{2, 4}, {4096, 262144}})
    ->UseRealTime();

// -- seed/TensorParallelShard -------------------------------------------------

struct weights {
  weights(uint32_t rows, uint32_t cols)
      : values(random_values(1, size_t{rows} * cols)),
        view{dtype::f32, rows, cols,
             reinterpret_cast<const std::byte*>(values.data())} {}

  std::vector<float> values;
  matrix_view view;
};

/// Rows or columns of a matrix [512, 256] in storage of each of 4 ranks, as
/// load_shard makes it: bytes are moved.
void shard(benchmark::State& state) {
  auto w = weights{512, 256};
  auto by_rows = state.range(0) == 0;
  auto out = std::vector<std::vector<std::byte>>(4);
  for (auto& o : out)
    o.resize(w.values.size()); // a quarter of 4 bytes each
  for (auto _ :
       timed_loop{state, "[512, 256] copied into storage of each of 4 ranks"}) {
    for (auto r = 0u; r < 4; ++r) {
      auto some = columns_of(w.view, part_of(256, 4, r));
      if (by_rows) {
        auto rows = part_of(512, 4, r);
        some = {dtype::f32, rows.count, 256, w.view.row(rows.first)};
      }
      for (auto i = 0u; i < some.rows; ++i)
        std::copy_n(some.row(i), some.row_bytes(),
                    out[r].data() + i * some.row_bytes());
      benchmark::DoNotOptimize(out[r].data());
    }
    benchmark::ClobberMemory();
  }
}

BENCHMARK(shard)
    ->Name("seed/TensorParallelShard/shard")
    ->ArgNames({"columns"})
    ->Arg(0)
    ->Arg(1);

/// x: [rows, 256] times 4 shards of [512, 256], one after another as the
/// original does, each into its columns of the result.
void forward(benchmark::State& state) {
  auto w = weights{512, 256};
  auto m = static_cast<uint32_t>(state.range(0));
  auto x = random_values(2, m * size_t{256});
  auto c = compute{1, best_kernels(), matmul_scratch_floats(256)};
  auto part = std::vector<float>(m * size_t{128});
  auto y = std::vector<float>(m * size_t{512});
  for (auto _ : timed_loop{
           state,
           "so many rows times 4 shards [128, 256], joined to [rows, 512]"}) {
    for (auto r = 0u; r < 4; ++r) {
      auto shard = matrix_view{dtype::f32, 128, 256, w.view.row(r * 128)};
      matmul(c, x.data(), m, std::array{linear{shard, nullptr, part.data()}});
      for (auto row = size_t{0}; row < m; ++row)
        std::copy_n(part.data() + row * 128, 128,
                    y.data() + row * 512 + r * 128);
    }
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
}

BENCHMARK(forward)
    ->Name("seed/TensorParallelShard/forward")
    ->ArgNames({"rows"})
    ->Arg(1)
    ->Arg(8)
    ->Arg(64);

/// A column layer [256, 256] and a row layer after it, on 4 ranks with the sum
/// at the end: what a block of a transformer is.
void column_then_row(benchmark::State& state) {
  auto first = weights{256, 256};
  auto second = weights{256, 256};
  auto m = static_cast<uint32_t>(state.range(0));
  auto x = random_values(2, m * size_t{256});
  on_all_ranks(
      state, 4,
      "a layer [256, 256] of columns, one of rows and the sum, on 4 threads",
      [&](collective& ranks) {
        auto mine = part_of(256, 4, ranks.rank());
        auto up = matrix_view{dtype::f32, mine.count, 256,
                              first.view.row(mine.first)};
        auto down = columns_of(second.view, mine);
        auto c = std::make_shared<compute>(1, best_kernels(),
                                           matmul_scratch_floats(256));
        return [&, up, down, c, h = std::vector<float>(m * size_t{64}),
                y = std::vector<float>(m * size_t{256})]() mutable {
          matmul(*c, x.data(), m, std::array{linear{up, nullptr, h.data()}});
          matmul(*c, h.data(), m, std::array{linear{down, nullptr, y.data()}});
          static_cast<void>(ranks.all_reduce(y));
        };
      });
}

BENCHMARK(column_then_row)
    ->Name("seed/TensorParallelShard/column_then_row")
    ->ArgNames({"rows"})
    ->Arg(1)
    ->Arg(64)
    ->UseRealTime();

// -- seed/SequenceParallelScatter ---------------------------------------------

hparams heads_of(benchmark::State& state) {
  auto p = hparams{};
  p.heads = p.kv_heads = static_cast<uint32_t>(state.range(1));
  p.head_dim = static_cast<uint32_t>(state.range(2));
  return p;
}

/// Q, K and V on 4 ranks: from a quarter of the tokens each to a quarter of the
/// heads each, rank 0 getting all of K and V.
void scatter(benchmark::State& state) {
  auto tokens = static_cast<uint32_t>(state.range(0));
  auto p = heads_of(state);
  auto size = size_t{tokens} * p.heads * p.head_dim;
  on_all_ranks(
      state, 4, "Q, K and V copied from tokens to heads, among 4 threads",
      [&](collective& ranks) {
        auto s = std::make_shared<sequence_scatter>(p, ranks, tokens);
        return [=, own = random_values(1, size / 4),
                q = std::vector<float>(size), k = std::vector<float>(size),
                v = std::vector<float>(size)]() mutable {
          static_cast<void>(s->to_heads(tokens,
                                        {own.data(), own.data(), own.data()},
                                        {q.data(), k.data(), v.data()}));
        };
      });
}

/// What is attended, back to a quarter of the tokens each.
void gather(benchmark::State& state) {
  auto tokens = static_cast<uint32_t>(state.range(0));
  auto p = heads_of(state);
  auto size = size_t{tokens} * p.heads * p.head_dim;
  on_all_ranks(
      state, 4, "what is attended copied from heads to tokens, among 4 threads",
      [&](collective& ranks) {
        auto s = std::make_shared<sequence_scatter>(p, ranks, tokens);
        return [=, all = random_values(1, size / 4),
                own = std::vector<float>(size / 4)]() mutable {
          static_cast<void>(s->to_rows(tokens, all.data(), own.data()));
        };
      });
}

BENCHMARK(scatter)
    ->Name("seed/SequenceParallelScatter/scatter")
    ->ArgNames({"tokens", "heads", "head_dim"})
    ->Args({512, 4, 32})
    ->Args({256, 8, 64})
    ->UseRealTime();
BENCHMARK(gather)
    ->Name("seed/SequenceParallelScatter/gather")
    ->ArgNames({"tokens", "heads", "head_dim"})
    ->Args({512, 4, 32})
    ->Args({256, 8, 64})
    ->UseRealTime();

// -- a model ------------------------------------------------------------------

enum class mode { alone, tensor, sequence };

/// A prompt of `range(1)` tokens in one step, on 1 or 2 ranks of a thread each.
void prefill(benchmark::State& state, mode how) {
  auto p = hparams{};
  p.vocab = 4096;
  p.context = 2048;
  p.hidden = 256;
  p.layers = 6;
  p.heads = 8;
  p.kv_heads = 4;
  p.head_dim = p.rope_dim = 32;
  p.ffn = 768;
  auto o = test::random_model_options{};
  o.type = dtype::q8_0;
  auto m = test::random_model::make(p, o);
  auto tokens = static_cast<uint32_t>(state.range(0));
  auto ids = std::vector<token_id>(tokens);
  std::iota(ids.begin(), ids.end(), 1);
  on_all_ranks(
      state, how == mode::alone ? 1 : 2, "a step of a model",
      [&](collective& ranks) {
        auto options = engine_options{};
        options.max_tokens_per_step = tokens;
        auto mine = m;
        if (how == mode::tensor) {
          mine = *load_shard(m, 2, ranks.rank());
          options.tensor_ranks = &ranks;
        }
        if (how == mode::sequence)
          options.sequence_ranks = &ranks;
        auto e = std::make_shared<engine>(mine, options);
        auto pool = std::make_shared<block_pool>(
            make_block_arena(e->layout(kv_dtype::f16)),
            kv_layout::blocks_for(tokens));
        return [e, pool, tokens, &ids] {
          auto table = page_table{};
          auto row = batch_row{&table, ids};
          if (table.grow(*pool, tokens))
            static_cast<void>(e->forward({&row, 1}));
        };
      },
      tokens == 1 ? 16 : 1);
  state.counters["tokens/s"] =
      benchmark::Counter(tokens, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK_CAPTURE(prefill, alone, mode::alone)
    ->Name("parallel/step/alone")
    ->ArgNames({"tokens"})
    ->Arg(1)
    ->Arg(1024)
    ->UseRealTime();
BENCHMARK_CAPTURE(prefill, tensor, mode::tensor)
    ->Name("parallel/step/tensor")
    ->ArgNames({"tokens"})
    ->Arg(1)
    ->Arg(1024)
    ->UseRealTime();
BENCHMARK_CAPTURE(prefill, sequence, mode::sequence)
    ->Name("parallel/step/sequence")
    ->ArgNames({"tokens"})
    ->Arg(1)
    ->Arg(1024)
    ->UseRealTime();

} // namespace
