#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/core/engine/engine_fixture.hpp"
#include "tests/core/parallel/rank_threads.hpp"

namespace troupe::test {

/// What a rank's engine returned; Boost's checks are for one thread.
struct rank_run {
  floats logits; ///< of each token of a text
  error failure;
  uint64_t bytes_sent = 0;
  uint64_t operations = 0;
};

/// How a text goes through the engines of a group.
struct group_options {
  kv_dtype kv = kv_dtype::f32;
  uint32_t chunk = 1000;
  unsigned threads = 1;
  const kernels* use = nullptr;
  activation_type activations = activation_type::f32;
};

inline engine_options options_of(const group_options& o) {
  auto e = engine_options{};
  e.threads = o.threads;
  e.max_tokens_per_step = 64;
  e.use = o.use;
  e.activations = o.activations;
  return e;
}

inline rank_run run_text(engine& e, const group_options& o,
                         std::span<const token_id> ids, page_table& table) {
  auto run = rank_run{};
  auto chunk = size_t{o.chunk};
  for (auto i = size_t{0}; i < ids.size(); i += chunk) {
    auto n = std::min(chunk, ids.size() - i);
    auto row = batch_row{&table, ids.subspan(i, n), true, true};
    auto some = e.forward({&row, 1});
    if (!some) {
      run.failure = some.failure();
      return run;
    }
    run.logits.insert(run.logits.end(), some->begin(), some->end());
  }
  return run;
}

inline rank_run run_text(engine& e, const group_options& o,
                         std::span<const token_id> ids) {
  auto pool =
      block_pool{make_block_arena(e.layout(o.kv)),
                 kv_layout::blocks_for(static_cast<uint32_t>(ids.size()))};
  auto table = page_table{};
  if (!table.grow(pool, static_cast<uint32_t>(ids.size())))
    return {{}, fail(errc::no_free_blocks, "no blocks"), 0, 0};
  return run_text(e, o, ids, table);
}

/// The largest difference relative to the largest value.
inline double relative(std::span<const float> got,
                       std::span<const float> want) {
  BOOST_REQUIRE(got.size() == want.size());
  auto difference = 0.0;
  auto largest = 0.0;
  for (auto i = size_t{0}; i < want.size(); ++i) {
    auto d = std::abs(double{got[i]} - double{want[i]});
    if (!(d <= difference)) // so that a NaN counts
      difference = d;
    largest = std::max(largest, std::abs(double{want[i]}));
  }
  return difference / largest;
}

} // namespace troupe::test
