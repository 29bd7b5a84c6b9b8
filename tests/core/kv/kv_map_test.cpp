#include "core/kv/kv_map.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

struct world {
  std::shared_ptr<block_arena> arena =
      make_block_arena({1, 1, 1, 1, kv_dtype::f16});
  block_pool pool{arena, 64};
  prefix_index index{64};

  page_table table_of(uint32_t blocks) {
    auto t = page_table{};
    BOOST_REQUIRE(t.grow(pool, blocks * kv_block_tokens));
    return t;
  }
};

void expect(const kv_run& r, request_id request, uint32_t first,
            uint32_t blocks, kv_run::kind what) {
  BOOST_TEST(r.request == request);
  BOOST_TEST(r.first == first);
  BOOST_TEST(r.blocks == blocks);
  BOOST_TEST((r.what == what));
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_map_of_blocks)

BOOST_FIXTURE_TEST_CASE(blocks_side_by_side_are_one_run, world) {
  auto a = table_of(3), b = table_of(2);
  auto gap = table_of(1);
  BOOST_REQUIRE(a.grow(pool, 4 * kv_block_tokens));
  gap.clear();
  auto m = kv_map{*arena};
  m.add(8, b);
  m.add(7, a);
  auto runs = m.runs(10);
  BOOST_REQUIRE(runs.size() == 3u);
  expect(runs[0], 7, 0, 3, kv_run::kind::held);
  expect(runs[1], 8, 3, 2, kv_run::kind::held);
  expect(runs[2], 7, 6, 1, kv_run::kind::held);
  BOOST_TEST(m.runs(2).size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(who_shares_is_shown_once_and_kept_blocks_are_nobodys,
                        world) {
  auto tokens = std::vector<token_id>(3 * kv_block_tokens);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<token_id>(i);
  auto a = table_of(3);
  a.set_length(3 * kv_block_tokens);
  index.insert("", tokens, a);
  auto b = page_table{};
  index.share("", std::span{tokens}.first(2 * kv_block_tokens + 1), b);
  BOOST_REQUIRE(b.blocks() == 2u);
  {
    auto m = kv_map{*arena};
    m.add(1, a);
    m.add(2, b);
    m.add(index);
    auto runs = m.runs(10);
    BOOST_REQUIRE(runs.size() == 1u);
    expect(runs[0], 1, 0, 3, kv_run::kind::shared);
  }
  a.clear();
  auto m = kv_map{*arena};
  m.add(2, b);
  m.add(index);
  auto runs = m.runs(10);
  BOOST_REQUIRE(runs.size() == 2u);
  expect(runs[0], 2, 0, 2, kv_run::kind::shared);
  expect(runs[1], 0, 2, 1, kv_run::kind::kept);
}

BOOST_FIXTURE_TEST_CASE(places_without_memory_are_nowhere, world) {
  auto t = page_table{};
  BOOST_REQUIRE(t.reserve(pool, 4 * kv_block_tokens));
  auto m = kv_map{*arena};
  m.add(1, t);
  BOOST_TEST(m.runs(10).empty());
  t.back(kv_block_tokens);
  m.add(1, t);
  BOOST_TEST(m.runs(10).size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
