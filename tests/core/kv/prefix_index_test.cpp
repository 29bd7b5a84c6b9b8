#include <boost/test/unit_test.hpp>

#include <deque>
#include <map>
#include <numeric>
#include <set>

#include "core/base/random.hpp"
#include "core/kv/prefix_index.hpp"

using namespace troupe;

namespace {

using ids = std::vector<token_id>;

// The first tokens of one endless text for each `text`.
ids prompt(uint32_t tokens, token_id text = 0) {
  auto p = ids(tokens);
  std::iota(p.begin(), p.end(), text * 1000);
  return p;
}

struct fixture {
  block_pool pool{make_block_arena({1, 1, 2, 2, kv_dtype::f32}), 16};
  prefix_index index{16};

  // A sequence whose KV is computed: its blocks hold what `tokens` are.
  page_table computed(const ids& tokens, std::string_view salt = {}) {
    auto table = page_table{};
    auto n = static_cast<uint32_t>(tokens.size());
    BOOST_REQUIRE(index.admit(salt, tokens, n, pool, table));
    table.back(n);
    for (auto t = table.length(); t < n; ++t)
      std::copy_n(reinterpret_cast<const std::byte*>(&tokens[t]), 4,
                  table.block(t / 16) + t % 16 * 4);
    table.set_length(n);
    return table;
  }

  void keep(const ids& tokens, std::string_view salt = {}) {
    auto table = computed(tokens, salt);
    index.insert(salt, tokens, table);
  }

  uint32_t hits(const ids& tokens, std::string_view salt = {}) {
    auto table = page_table{};
    auto n = index.share(salt, tokens, table);
    BOOST_TEST(table.length() == n);
    expect_tokens(table, tokens);
    return n;
  }

  // The KV is that of these tokens.
  void expect_tokens(const page_table& table, const ids& tokens) {
    for (uint32_t t = 0; t < table.length(); ++t)
      BOOST_REQUIRE(std::equal(table.block(t / 16) + t % 16 * 4,
                               table.block(t / 16) + t % 16 * 4 + 4,
                               reinterpret_cast<const std::byte*>(&tokens[t])));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_prefix_index)

BOOST_FIXTURE_TEST_CASE(full_blocks_are_found_and_one_token_is_left, fixture) {
  keep(prompt(40));
  BOOST_TEST(index.blocks() == 2u);
  BOOST_TEST(pool.in_use() == 2u);
  auto expected =
      std::map<uint32_t, uint32_t>{{1, 0},   {15, 0},  {16, 0},  {17, 16},
                                   {31, 16}, {32, 16}, {33, 32}, {90, 32}};
  for (auto [length, found] : expected)
    BOOST_TEST(hits(prompt(length)) == found, "of " << length);
  BOOST_TEST(hits({}) == 0u);
  BOOST_TEST(pool.in_use() == 2u);
}

BOOST_FIXTURE_TEST_CASE(prompts_part_where_their_tokens_do, fixture) {
  keep(prompt(64));
  for (uint32_t at : {0, 15, 16, 31, 40, 63}) {
    auto other = prompt(80);
    other[at] = -7;
    BOOST_TEST(hits(other) == at / 16 * 16, "other from " << at);
  }
}

BOOST_FIXTURE_TEST_CASE(equal_blocks_after_other_prefixes_differ, fixture) {
  auto a = prompt(16, 1), b = prompt(16, 2), c = prompt(17, 3);
  a.insert(a.end(), c.begin(), c.end());
  b.insert(b.end(), c.begin(), c.end());
  keep(a);
  BOOST_TEST(hits(b) == 0u);
  keep(b);
  BOOST_TEST(hits(a) == 32u);
  BOOST_TEST(hits(b) == 32u);
  BOOST_TEST(index.blocks() == 4u);
}

BOOST_FIXTURE_TEST_CASE(a_salt_keeps_tenants_apart, fixture) {
  keep(prompt(40), "a");
  BOOST_TEST(hits(prompt(40)) == 0u);
  BOOST_TEST(hits(prompt(40), "b") == 0u);
  BOOST_TEST(hits(prompt(40), "a") == 32u);
  keep(prompt(40));
  BOOST_TEST(index.blocks() == 4u);
}

// Whatever digests do, nobody gets blocks of other tokens.
BOOST_AUTO_TEST_CASE(colliding_digests_cost_hits_and_nothing_else) {
  using digest = prefix_index::digest_function;
  auto digests = std::vector<digest>{
      [](const kv_digest&, std::span<const std::byte>) { return kv_digest{}; },
      // Of the last block alone.
      [](const kv_digest&, std::span<const std::byte> b) {
        return prefix_index::chain({}, b);
      },
      // Two bits of it.
      [](const kv_digest& d, std::span<const std::byte> b) {
        return kv_digest{prefix_index::chain(d, b).low & 3, 0};
      }};
  for (auto d : digests) {
    auto pool = block_pool{make_block_arena({1, 1, 2, 2, kv_dtype::f32}), 16};
    auto index = prefix_index{16, d};
    auto f = fixture{};
    for (uint32_t n = 0; n < 200; ++n) {
      auto p = prompt(1 + random_bits(1, n) % 70,
                      static_cast<token_id>(random_bits(2, n) % 3));
      // Blocks that come again after others.
      auto q = prompt(20, static_cast<token_id>(random_bits(3, n) % 3));
      p.insert(p.end(), q.begin(), q.end());
      auto salt = std::string(random_bits(4, n) % 2, 's');
      auto table = page_table{};
      auto length = static_cast<uint32_t>(p.size());
      BOOST_REQUIRE(index.admit(salt, p, length, pool, table));
      f.expect_tokens(table, p);
      table.back(length);
      for (auto t = table.length(); t < length; ++t)
        std::copy_n(reinterpret_cast<const std::byte*>(&p[t]), 4,
                    table.block(t / 16) + t % 16 * 4);
      table.set_length(length);
      index.insert(salt, p, table);
    }
    BOOST_TEST(index.blocks() > 0u);
    index.clear();
    BOOST_TEST(pool.in_use() == 0u);
  }
}

// -- room ---------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_least_recently_used_goes_first, fixture) {
  keep(prompt(64, 1));
  keep(prompt(64, 2));
  keep(prompt(64, 3));
  hits(prompt(65, 1));
  BOOST_TEST(index.evict(5) == 5u); // all of 2, the end of 3
  BOOST_TEST(hits(prompt(64, 2)) == 0u);
  BOOST_TEST(hits(prompt(65, 3)) == 48u);
  BOOST_TEST(hits(prompt(65, 1)) == 64u);
  BOOST_TEST(index.evict(99) == 7u);
  BOOST_TEST(pool.in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(readers_keep_their_blocks, fixture) {
  keep(prompt(64));
  {
    auto reader = page_table{};
    index.share({}, prompt(40), reader);
    BOOST_TEST(index.reclaimable() == 2u);
    BOOST_TEST(index.evict(99) == 2u);
    BOOST_TEST(index.blocks() == 2u);
    BOOST_TEST(pool.in_use() == 2u); // counted once
    index.clear();
    BOOST_TEST(pool.in_use() == 2u);
    expect_tokens(reader, prompt(32));
  }
  BOOST_TEST(pool.in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(an_unused_block_before_a_used_one_can_go, fixture) {
  // Two compute the same at the same time: the second's first block is its
  // own, what follows it is the second's, too.
  auto table = page_table{};
  auto p = prompt(40);
  BOOST_REQUIRE(table.grow(pool, 40));
  table.set_length(40);
  keep(prompt(16));
  index.insert({}, p, table);
  BOOST_TEST(index.blocks() == 2u);
  BOOST_TEST(pool.in_use() == 4u);
  BOOST_TEST(index.reclaimable() == 1u);
  BOOST_TEST(index.evict(1) == 1u);
  BOOST_TEST(index.blocks() == 0u);
  BOOST_TEST(pool.in_use() == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_newcomer_never_waits_for_the_cache, fixture) {
  keep(prompt(128, 1));
  keep(prompt(128, 2));
  BOOST_TEST(pool.available() == 0u);
  auto table = page_table{};
  BOOST_TEST(index.admit({}, prompt(33, 1), 256, pool, table));
  BOOST_TEST(table.length() == 32u);
  BOOST_TEST(table.blocks() == 16u);
  BOOST_TEST(index.blocks() == 2u);
  auto other = page_table{};
  BOOST_TEST(!index.admit({}, prompt(33, 1), 48, pool, other));
  BOOST_TEST(other.blocks() == 0u);
  BOOST_TEST(index.blocks() == 2u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_admitted_evicts_nothing, fixture) {
  keep(prompt(64));
  auto held = pool.take(8);
  auto table = page_table{};
  BOOST_TEST(!index.admit({}, prompt(20, 9), 160, pool, table));
  BOOST_TEST(index.blocks() == 4u);
}

BOOST_AUTO_TEST_CASE(a_budget_bounds_it) {
  auto f = fixture{};
  auto small = prefix_index{3};
  auto keep = [&](token_id text) {
    auto table = f.computed(prompt(80, text));
    small.insert({}, prompt(80, text), table);
  };
  auto hits = [&](token_id text) {
    auto table = page_table{};
    return small.share({}, prompt(80, text), table);
  };
  keep(1);
  BOOST_TEST(small.blocks() == 3u);
  BOOST_TEST(hits(1) == 48u);
  keep(1);
  BOOST_TEST(hits(1) == 48u);
  keep(2);
  BOOST_TEST(small.blocks() == 3u);
  BOOST_TEST(hits(1) == 0u);
  BOOST_TEST(hits(2) == 48u);
  BOOST_TEST(f.pool.in_use() == 3u);
  auto off = prefix_index{0};
  auto table = f.computed(prompt(40));
  off.insert({}, prompt(40), table);
  BOOST_TEST(off.blocks() == 0u);
}

// A plain model: the index finds what a list of kept prompts says, as long as
// nothing is evicted.
BOOST_FIXTURE_TEST_CASE(it_agrees_with_a_plain_search, fixture) {
  auto big = block_pool{make_block_arena({1, 1, 2, 2, kv_dtype::f32}), 4000};
  auto all = prefix_index{4000};
  auto kept = std::vector<ids>{};
  for (uint32_t n = 0; n < 300; ++n) {
    // Few distinct blocks: prompts branch.
    auto p = ids{};
    for (uint64_t b = random_bits(1, n) % 6; b > 0; --b) {
      auto block = prompt(16, static_cast<token_id>(random_bits(2, n, b) % 2));
      p.insert(p.end(), block.begin(), block.end());
    }
    p.resize(p.size() + random_bits(3, n) % 16, 5);
    auto expected = size_t{0};
    for (auto& k : kept) {
      auto same = std::mismatch(p.begin(), p.end(), k.begin(), k.end()).first
                  - p.begin();
      auto most = std::min<size_t>(static_cast<size_t>(same),
                                   p.empty() ? 0 : p.size() - 1);
      expected = std::max(expected, most / 16 * 16);
    }
    auto table = page_table{};
    auto length = static_cast<uint32_t>(p.size());
    BOOST_REQUIRE(all.admit({}, p, length, big, table));
    BOOST_TEST(table.length() == expected);
    table.back(length);
    table.set_length(length);
    all.insert({}, p, table);
    kept.push_back(p);
  }
}

// Random use under pressure: never a wrong block, never a leak, never a refusal
// that an index-less pool would not give.
BOOST_FIXTURE_TEST_CASE(it_holds_under_pressure, fixture) {
  auto running = std::deque<std::pair<ids, page_table>>{};
  auto held = size_t{0}; // blocks without sharing
  auto refused = 0, reused = 0;
  for (uint32_t n = 0; n < 3000; ++n) {
    auto p = prompt(1 + random_bits(1, n) % 90,
                    static_cast<token_id>(random_bits(2, n) % 3));
    auto need = (p.size() + 15) / 16;
    auto table = page_table{};
    auto length = static_cast<uint32_t>(p.size());
    auto fits = held + need <= 16;
    auto admitted = index.admit({}, p, length, pool, table);
    BOOST_REQUIRE(admitted || !fits);
    if (admitted) {
      expect_tokens(table, p);
      reused += table.length() > 0;
      table.back(length);
      for (auto t = table.length(); t < length; ++t)
        std::copy_n(reinterpret_cast<const std::byte*>(&p[t]), 4,
                    table.block(t / 16) + t % 16 * 4);
      table.set_length(length);
      index.insert({}, p, table);
      held += need;
      running.emplace_back(std::move(p), std::move(table));
    } else {
      ++refused;
    }
    while (running.size() > random_bits(3, n) % 8) {
      expect_tokens(running.front().second, running.front().first);
      held -= (running.front().first.size() + 15) / 16;
      running.pop_front();
    }
  }
  BOOST_TEST(refused > 50);
  BOOST_TEST(reused > 1000);
  running.clear();
  BOOST_TEST(pool.in_use() == index.blocks());
  BOOST_TEST(index.reclaimable() == index.blocks());
  index.clear();
  BOOST_TEST(pool.in_use() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
