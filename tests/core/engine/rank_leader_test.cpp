// Ranks that are told what to do, and have nobody but rank 0 to tell them.

#include "core/engine/rank_leader.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/core/parallel/led_group.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct kind_of_group {
  rank_kind kind;
  uint32_t ranks;
  bool sends;
};

std::vector<kind_of_group> groups() {
  return {{rank_kind::tensor, 2, false},   {rank_kind::tensor, 3, true},
          {rank_kind::tensor, 2, true},    {rank_kind::sequence, 2, true},
          {rank_kind::sequence, 3, false}, {rank_kind::sequence, 2, false}};
}

std::shared_ptr<const model> some_model() {
  auto p = small_llama();
  p.windows = {12, 0, 12};
  auto o = random_model_options{};
  o.type = dtype::q8_0;
  return random_model::make(p, o);
}

group_options some_options() {
  auto o = group_options{};
  o.kv = kv_dtype::f16;
  o.activations = activation_type::i8;
  o.chunk = 20;
  return o;
}

/// The text's logits, in chunks on a table of its own.
floats run_here(led_group& g, const group_options& o,
                std::span<const token_id> ids) {
  auto pool = block_pool{g.arena(), 16};
  auto table = page_table{};
  BOOST_REQUIRE(table.grow(pool, static_cast<uint32_t>(ids.size())));
  auto run = run_text(g.rank_0(), o, ids, table);
  BOOST_REQUIRE_MESSAGE(!run.failure, to_string(run.failure));
  return run.logits;
}

floats step(engine& e, page_table& table, std::span<const token_id> ids) {
  auto row = batch_row{&table, ids};
  auto got = e.forward({&row, 1});
  BOOST_REQUIRE(got);
  return {got->begin(), got->end()};
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_rank_leader)

BOOST_AUTO_TEST_CASE(a_led_group_computes_what_one_that_is_called_does) {
  auto m = some_model();
  auto o = some_options();
  auto ids = text(3, 50);
  auto alone = engine{m, options_of(o)};
  auto of_one = run_text(alone, o, ids).logits;
  for (auto k : groups()) {
    auto g = led_group{m, k.kind, k.ranks, o, k.sends};
    auto got = run_here(g, o, ids);
    if (k.kind == rank_kind::sequence)
      BOOST_TEST(same_bits(got, of_one));
    else
      BOOST_TEST(relative(got, of_one) < 0.02); // i8 and float16 round
    // Where the ranks are called and keep KV of their own heads.
    if (k.kind == rank_kind::tensor) {
      auto want = floats{};
      on_ranks(k.ranks, [&](collective& ranks) {
        auto options = options_of(o);
        options.tensor_ranks = &ranks;
        auto e = engine{*load_shard(m, k.ranks, ranks.rank()), options};
        auto run = run_text(e, o, ids);
        if (ranks.rank() == 0)
          want = run.logits;
      });
      BOOST_TEST(same_bits(got, want));
    }
    // Nothing was sent that the ranks had computed.
    BOOST_TEST(g.leader().kv_bytes_sent() == 0u);
    for (auto& e : g.end())
      BOOST_TEST(!e);
  }
}

// Latent attention, whose one head all ranks keep.
BOOST_AUTO_TEST_CASE(latent_attention_is_led_as_well) {
  auto p = small_llama();
  p.kv_heads = 8;
  p.head_dim = 40;
  p.rope_dim = 8;
  p.value_dim = 32;
  p.mla.kv_rank = 96;
  p.mla.q_rank = 32;
  auto m = random_model::make(p, {});
  auto o = group_options{};
  auto ids = text(3, 40);
  auto alone = engine{m, options_of(o)};
  auto g = led_group{m, rank_kind::tensor, 2, o, true};
  auto got = run_here(g, o, ids);
  BOOST_TEST(relative(got, run_text(alone, o, ids).logits) < 1e-4);
}

// KV that others computed comes by reference, as within a process, or as bytes.
BOOST_AUTO_TEST_CASE(a_sequence_goes_on_in_another_group) {
  auto m = some_model();
  auto o = some_options();
  auto ids = text(9, 60);
  auto prompt = std::span{ids}.first(41);
  auto rest = std::span{ids}.subspan(41);
  for (auto k : groups()) {
    auto a = led_group{m, k.kind, k.ranks, o, k.sends};
    auto b = led_group{m, k.kind, k.ranks, o, k.sends};
    auto pool = block_pool{a.arena(), 16};
    auto table = page_table{};
    BOOST_REQUIRE(table.grow(pool, 60));
    BOOST_REQUIRE(!run_text(a.rank_0(), o, prompt, table).failure);
    auto copy = page_table{};
    BOOST_REQUIRE(copy.grow(pool, 60));
    for (auto i = 0u; i < table.blocks(); ++i)
      std::copy_n(table.block(i), pool.layout().block_bytes(), copy.block(i));
    copy.set_length(table.length());
    auto shared = page_table{};
    for (auto i = 0u; i < 2; ++i)
      shared.append(table.lease(i).share());
    BOOST_REQUIRE(shared.grow(pool, 60));
    shared.set_length(32);
    auto copied = step(b.rank_0(), copy, rest.first(1));
    auto sent = b.leader().kv_bytes_sent();
    BOOST_TEST(sent > 0u);
    BOOST_TEST(same_bits(step(a.rank_0(), table, rest.first(1)), copied));
    for (auto i = 1u; i < rest.size(); ++i)
      BOOST_TEST(same_bits(step(b.rank_0(), copy, rest.subspan(i, 1)),
                           step(a.rank_0(), table, rest.subspan(i, 1))));
    BOOST_TEST(b.leader().kv_bytes_sent() == sent);
    // Its first blocks as they lie; the rest of its prompt is computed there.
    auto again = step(b.rank_0(), shared, std::span{ids}.subspan(32, 10));
    BOOST_TEST(same_bits(again, copied));
  }
}

// Memory is used again by other sequences, and sequences go back.
BOOST_AUTO_TEST_CASE(what_a_block_was_before_does_not_matter) {
  auto m = some_model();
  auto o = some_options();
  for (auto k : groups()) {
    auto g = led_group{m, k.kind, k.ranks, o, k.sends};
    auto fresh = led_group{m, k.kind, k.ranks, o, k.sends};
    for (auto seed = 0u; seed < 12; ++seed) {
      auto ids = text(seed, 10 + 4 * (seed % 5));
      BOOST_TEST(same_bits(run_here(g, o, ids), run_here(fresh, o, ids)));
      // Not all of it is used, so other blocks come next time.
      auto pool = block_pool{g.arena(), 16};
      auto table = page_table{};
      BOOST_REQUIRE(table.grow(pool, 40));
      step(g.rank_0(), table, ids);
      table.set_length(5);
      auto two = std::span{ids}.subspan(5, 2);
      auto pool_2 = block_pool{fresh.arena(), 16};
      auto table_2 = page_table{};
      BOOST_REQUIRE(table_2.grow(pool_2, 40));
      step(fresh.rank_0(), table_2, std::span{ids}.first(5));
      BOOST_TEST(same_bits(step(g.rank_0(), table, two),
                           step(fresh.rank_0(), table_2, two)));
    }
    BOOST_TEST(g.leader().kv_bytes_sent() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_step_in_parts_and_one_that_is_dropped) {
  auto m = some_model();
  auto o = some_options();
  auto ids = text(5, 30);
  for (auto k : groups()) {
    auto g = led_group{m, k.kind, k.ranks, o, k.sends};
    auto want = run_here(g, o, ids);
    auto& e = g.rank_0();
    auto pool = block_pool{g.arena(), 16};
    for (auto layers : {0u, 1u, 3u}) { // of the step that is dropped
      {
        auto gone = page_table{};
        BOOST_REQUIRE(gone.grow(pool, 30));
        auto row = batch_row{&gone, ids};
        BOOST_REQUIRE(e.begin({&row, 1}));
        e.advance(layers);
      }
      auto table = page_table{};
      BOOST_REQUIRE(table.grow(pool, 30));
      auto row = batch_row{&table, ids, true, true};
      BOOST_REQUIRE(e.begin({&row, 1}));
      while (e.advance(1) > 0) {
      }
      auto got = e.finish();
      BOOST_TEST(same_bits(got, want));
      BOOST_TEST(table.length() == 30u);
    }
    // What is refused reaches nobody.
    auto table = page_table{};
    BOOST_REQUIRE(table.grow(pool, 30));
    auto bad = std::vector<token_id>{-1};
    auto row = batch_row{&table, bad};
    BOOST_TEST(!e.forward({&row, 1}));
    BOOST_TEST(!e.begin({&row, 1}));
    BOOST_TEST(e.forward({})->empty());
    for (auto& end : g.end())
      BOOST_TEST(!end);
  }
}

BOOST_AUTO_TEST_CASE(ranks_keep_no_more_blocks_than_rank_0_uses) {
  auto m = some_model();
  auto o = some_options();
  auto g = led_group{m, rank_kind::tensor, 2, o};
  auto kept = std::vector<page_table>(40);
  auto pool = block_pool{g.arena(), 1000};
  auto ids = text(5, 40);
  // Others take the places in between for good, so that new ones are used.
  for (auto& table : kept) {
    BOOST_REQUIRE(table.grow(pool, 40));
    step(g.rank_0(), table, ids);
  }
  kept.clear();
  auto other = block_pool{g.arena(), 1000};
  auto elsewhere = *other.take(500);
  for (auto i = 0; i < 400; ++i) {
    auto table = page_table{};
    BOOST_REQUIRE(table.grow(pool, 40));
    step(g.rank_0(), table, ids);
  }
  BOOST_TEST(g.leader().known_blocks() <= 3u * 2 + 64 + 3);
  g.end();
  BOOST_TEST(g.blocks() <= 3u * 2 + 64 + 3);
}

BOOST_AUTO_TEST_CASE(a_rank_that_fails_is_an_error_at_rank_0) {
  auto m = some_model();
  auto o = some_options();
  auto ids = text(5, 8);
  auto g = led_group{m, rank_kind::tensor, 2, o};
  auto nonsense = rank_command{};
  nonsense.number = 5;
  g.tell(1, nonsense);
  auto pool = block_pool{g.arena(), 4};
  auto table = page_table{};
  BOOST_REQUIRE(table.grow(pool, 8));
  auto row = batch_row{&table, ids};
  auto got = g.rank_0().forward({&row, 1});
  BOOST_REQUIRE(!got);
  BOOST_TEST(got.failure().message
             == "rank 1 of 2 was lost: a command of rank 0 was lost");
  BOOST_TEST(table.length() == 0u);
}

BOOST_AUTO_TEST_CASE(commands_that_no_rank_0_gives_are_refused) {
  auto m = some_model();
  auto o = some_options();
  auto ranks = shared_ranks{1};
  auto mine = ranks.join(0);
  auto refused = [&](auto change) {
    auto options = options_of(o);
    options.tensor_ranks = mine.get();
    auto f = rank_follower{m, options, o.kv};
    auto c = rank_command{};
    c.begins = c.finishes = true;
    c.layers = m->params.layers;
    c.blocks.push_back({0, {}});
    c.rows.push_back({{0}, 0, {1, 2}, true, false});
    change(c);
    return !f.on(c);
  };
  BOOST_TEST(!refused([](auto&) {}));
  BOOST_TEST(refused([](auto& c) { c.number = 1; }));
  BOOST_TEST(refused([](auto& c) { c.forgotten = {3}; }));
  BOOST_TEST(refused([](auto& c) { c.blocks[0].number = 1u << 31; }));
  BOOST_TEST(refused([](auto& c) { c.blocks[0].bytes.resize(3); }));
  BOOST_TEST(refused([](auto& c) { c.blocks.clear(); }));
  BOOST_TEST(refused([](auto& c) { c.begins = false; }));
  BOOST_TEST(refused([](auto& c) { c.layers = 1; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].blocks = {1}; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].blocks = {}; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].length = 15; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].length = 0xffffffff; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].tokens = {-1}; }));
  BOOST_TEST(refused([](auto& c) { c.rows[0].tokens.clear(); }));
  BOOST_TEST(refused([](auto& c) {
    c.rows[0].tokens.assign(100, 1);
    c.rows[0].blocks.assign(7, 0);
  }));
}

BOOST_AUTO_TEST_SUITE_END()
