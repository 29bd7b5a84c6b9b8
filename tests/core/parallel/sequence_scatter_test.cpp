// Steps whose rows several ranks compute.

#include "core/parallel/sequence_scatter.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "tests/core/parallel/group_run.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

hparams shape(uint32_t heads, uint32_t kv_heads) {
  auto p = hparams{};
  p.vocab = 61;
  p.context = 160;
  p.hidden = 64;
  p.layers = 3;
  p.heads = heads;
  p.kv_heads = kv_heads;
  p.head_dim = p.rope_dim = 16;
  p.value_dim = 24;
  p.ffn = 96;
  p.windows = {0, 20, 0};
  return p;
}

/// The ranks' runs of a text; `after` sees rank 0's engine and table.
std::vector<rank_run> scattered(
    const std::shared_ptr<const model>& m, uint32_t n,
    std::span<const token_id> ids, const group_options& o,
    const std::function<void(page_table&)>& after = [](page_table&) {}) {
  auto runs = std::vector<rank_run>(n);
  on_ranks(n, [&](collective& ranks) {
    auto options = options_of(o);
    options.sequence_ranks = &ranks;
    auto e = engine{m, options};
    auto& run = runs[ranks.rank()];
    auto pool = block_pool{make_block_arena(e.layout(o.kv)), 8};
    auto table = page_table{};
    if (!table.grow(pool, 128)) {
      run.failure = fail(errc::no_free_blocks, "no blocks");
      return;
    }
    run = run_text(e, o, ids, table);
    run.bytes_sent = ranks.bytes_sent();
    run.operations = ranks.operations();
    if (ranks.rank() == 0)
      after(table);
  });
  for (auto& run : runs)
    BOOST_REQUIRE_MESSAGE(!run.failure, to_string(run.failure));
  for (auto r = 1u; r < n; ++r)
    BOOST_TEST(runs[r].logits.empty());
  return runs;
}

} // namespace

BOOST_AUTO_TEST_SUITE(parallel_sequence_scatter)

// Rows do not depend on each other, so this is more than close.
BOOST_AUTO_TEST_CASE(ranks_give_the_bits_of_one_rank) {
  auto ids = text(3, 61);
  for (auto [heads, kv_heads] :
       {std::pair{4u, 4u}, {4u, 2u}, {6u, 1u}, {5u, 5u}, {6u, 3u}})
    for (auto t : {dtype::f32, dtype::q4_0})
      for (auto kv : all_kv_types) {
        if (kv != kv_dtype::f16 && heads != 4)
          continue;
        auto m_options = random_model_options{};
        m_options.type = t;
        m_options.qk_norm = heads == 6;
        m_options.biases = heads == 4;
        auto p = shape(heads, kv_heads);
        if (t == dtype::q4_0) {
          if (heads == 5)
            continue; // no whole blocks
          p.head_dim = p.rope_dim = 32;
          p.value_dim = 32;
        }
        auto m = random_model::make(p, m_options);
        auto o = group_options{};
        o.kv = kv;
        o.activations = activation_type::i16;
        auto e = engine{m, options_of(o)};
        auto want = run_text(e, o, ids).logits;
        for (auto n : {1u, 2u, 3u, 4u})
          for (auto chunk : {1u, 13u, 61u})
            BOOST_TEST_CONTEXT(heads << ", " << kv_heads << " heads, " << n
                                     << " ranks, chunks of " << chunk) {
              o.chunk = chunk;
              if (chunk == 1 && (heads != 4 || kv != kv_dtype::f16))
                continue;
              if (!sequence_scatter::check(p, n))
                continue;
              auto runs = scattered(m, n, ids, o);
              BOOST_TEST(same_bits(runs[0].logits, want));
            }
      }
}

BOOST_AUTO_TEST_CASE(rank_0_has_all_kv_and_goes_on_alone) {
  auto p = shape(4, 2);
  auto m = random_model::make(p, {});
  auto ids = text(6, 70);
  auto prompt = std::span{ids}.first(51);
  auto rest = std::span{ids}.subspan(51);
  for (auto n : {2u, 4u}) {
    auto o = group_options{};
    o.kv = kv_dtype::f16;
    o.chunk = 40;
    auto alone = engine{m, options_of(o)};
    auto s = sequence{alone, o.kv, 128};
    BOOST_REQUIRE(!run_text(alone, o, prompt, s.table).failure);
    auto bytes_of = [](page_table& table) {
      auto all = std::vector<std::byte>{};
      for (auto b = 0u; b < kv_layout::blocks_for(table.length()); ++b)
        all.insert(all.end(), table.block(b),
                   table.block(b) + table.lease(b).layout().block_bytes());
      return all;
    };
    auto want_kv = bytes_of(s.table);
    auto kv = std::vector<std::byte>{};
    auto got = rank_run{};
    scattered(m, n, prompt, o, [&](page_table& table) {
      kv = bytes_of(table);
      auto decode = engine{m, options_of(o)};
      auto one = o;
      one.chunk = 1;
      got = run_text(decode, one, rest, table);
    });
    BOOST_TEST((kv == want_kv));
    BOOST_TEST(same_bits(got.logits, run_text(alone, o, rest, s.table).logits));
  }
}

BOOST_AUTO_TEST_CASE(several_sequences_of_a_step_are_cut_anywhere) {
  auto m = random_model::make(shape(4, 2), {});
  auto a = text(7, 23);
  auto b = text(8, 6);
  auto c = text(9, 1);
  auto run = [&](collective* ranks) {
    auto options = options_of({});
    options.sequence_ranks = ranks;
    auto e = engine{m, options};
    auto pool = block_pool{make_block_arena(e.layout(kv_dtype::f16)), 12};
    auto tables = std::vector<page_table>(3);
    auto all = floats{};
    for (auto& t : tables)
      if (!t.grow(pool, 40))
        return all;
    for (auto i = 0; i < 2; ++i) {
      auto rows = std::vector<batch_row>{{&tables[0], a, i == 1, false},
                                         {&tables[1], b, true, true},
                                         {&tables[2], c, i == 0, false}};
      auto some = e.forward(rows);
      if (!some)
        return floats{};
      all.insert(all.end(), some->begin(), some->end());
    }
    return all;
  };
  auto want = run(nullptr);
  BOOST_TEST(want.size() == 14u * 61);
  for (auto n : {2u, 3u, 4u}) {
    auto got = floats{};
    on_ranks(n, [&](collective& ranks) {
      auto all = run(&ranks);
      if (ranks.rank() == 0)
        got = all;
    });
    BOOST_TEST(same_bits(got, want));
  }
}

BOOST_AUTO_TEST_CASE(other_ranks_keep_their_heads_only) {
  auto m = random_model::make(shape(4, 2), {});
  auto heads = std::vector<uint32_t>(4);
  on_ranks(4, [&](collective& ranks) {
    auto options = options_of({});
    options.sequence_ranks = &ranks;
    heads[ranks.rank()] = engine{m, options}.layout(kv_dtype::f16).kv_heads;
  });
  BOOST_TEST((heads == std::vector<uint32_t>{2, 1, 1, 1}));
}

BOOST_AUTO_TEST_CASE(a_step_needs_two_exchanges_a_layer) {
  auto p = shape(4, 4);
  auto m = random_model::make(p, {});
  auto ids = text(3, 32);
  auto o = group_options{};
  auto runs = scattered(m, 2, ids, o);
  BOOST_TEST(runs[0].operations == 2 * p.layers + 1);
  // Of its 16 rows rank 1 sends the queries of rank 0's 2 heads, K and V of all
  // 4 and, of all rows, what it attended with 2; at last, here, its rows of x.
  BOOST_TEST(runs[1].bytes_sent
             == sizeof(float)
                    * (p.layers * 16 * (2 * 16 + 4 * (16 + 24) + 2 * 24)
                       + 16 * p.hidden));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_spread_is_refused) {
  BOOST_TEST(sequence_scatter::check(shape(4, 2), 4).ok());
  for (auto n : {0u, 5u, 1u << 31, ~0u})
    BOOST_TEST(!sequence_scatter::check(shape(4, 2), n).ok());
  auto p = shape(4, 4);
  p.mla.kv_rank = 32;
  auto r = sequence_scatter::check(p, 2);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST((r.failure().code == errc::unsupported));
}

BOOST_AUTO_TEST_CASE(a_lost_rank_ends_a_step_with_its_name) {
  auto m = random_model::make(shape(4, 2), {});
  auto ids = text(5, 8);
  auto messages = std::vector<std::string>(3);
  on_ranks(3, [&](collective& ranks) {
    auto options = options_of({});
    options.sequence_ranks = &ranks;
    auto e = engine{m, options};
    auto pool = block_pool{make_block_arena(e.layout(kv_dtype::f16)), 1};
    auto table = page_table{};
    if (!table.grow(pool, 8))
      return;
    auto row = batch_row{&table, ids};
    if (ranks.rank() == 2) {
      if (e.begin({&row, 1}))
        e.advance(1);
      return ranks.leave(fail(errc::io_error, "no power"));
    }
    if (auto got = e.forward({&row, 1}); !got && table.length() == 0)
      messages[ranks.rank()] = got.failure().message;
  });
  BOOST_TEST(messages[0] == "rank 2 of 3 was lost: no power");
  BOOST_TEST(messages[1] == messages[0]);
}

BOOST_AUTO_TEST_SUITE_END()
