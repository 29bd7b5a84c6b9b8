#include <boost/test/unit_test.hpp>

#include <map>

#include "core/kv/page_table.hpp"

using namespace troupe;

namespace {

struct fixture {
  block_pool pool{make_block_arena({1, 1, 2, 2, kv_dtype::f32}), 5};
  page_table table;
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_page_table)

BOOST_AUTO_TEST_CASE(blocks_for_rounds_up) {
  BOOST_TEST(kv_layout::blocks_for(0) == 0u);
  BOOST_TEST(kv_layout::blocks_for(1) == 1u);
  BOOST_TEST(kv_layout::blocks_for(16) == 1u);
  BOOST_TEST(kv_layout::blocks_for(17) == 2u);
}

BOOST_AUTO_TEST_CASE(offsets_of_a_layout_tile_a_block) {
  for (auto v_dim : {8u, 5u, 0u})
    for (auto t : {kv_dtype::f32, kv_dtype::f16, kv_dtype::i8}) {
      auto l = kv_layout{3, 2, 8, v_dim, t};
      auto sizes = std::map<size_t, size_t>{};
      for (uint32_t layer = 0; layer < l.layers; ++layer)
        for (uint32_t head = 0; head < l.kv_heads; ++head) {
          sizes[l.k_offset(layer, head)] = l.k_bytes();
          if (v_dim > 0)
            sizes[l.v_offset(layer, head)] = l.v_bytes();
        }
      BOOST_TEST(sizes.size() == (v_dim > 0 ? 12u : 6u));
      auto next = size_t{0};
      for (auto [start, size] : sizes) {
        BOOST_TEST(start == next);
        next += size;
      }
      BOOST_TEST(next == l.block_bytes());
    }
}

BOOST_FIXTURE_TEST_CASE(it_grows_by_whole_blocks, fixture) {
  BOOST_TEST(table.grow(pool, 1));
  BOOST_TEST(table.room() == 16u);
  BOOST_TEST(table.grow(pool, 16));
  BOOST_TEST(pool.in_use() == 1u);
  BOOST_TEST(table.grow(pool, 17));
  BOOST_TEST(pool.in_use() == 2u);
  BOOST_TEST(table.length() == 0u);
  table.clear();
  BOOST_TEST(pool.in_use() == 0u);
  BOOST_TEST(table.blocks() == 0u);
}

BOOST_FIXTURE_TEST_CASE(growing_too_far_changes_nothing, fixture) {
  BOOST_TEST(table.grow(pool, 20));
  BOOST_TEST(!table.grow(pool, 81));
  BOOST_TEST(table.blocks() == 2u);
  BOOST_TEST(pool.in_use() == 2u);
  BOOST_TEST(table.grow(pool, 80));
}

BOOST_FIXTURE_TEST_CASE(reserved_blocks_get_memory_in_order, fixture) {
  auto leases = pool.reserve(3);
  for (auto& lease : *leases)
    table.append(std::move(lease));
  BOOST_TEST(table.block(0) == nullptr);
  table.back(17);
  BOOST_TEST(table.block(0) != nullptr);
  BOOST_TEST(table.block(1) != nullptr);
  BOOST_TEST(table.block(2) == nullptr);
  auto* second = table.block(1);
  table.back(33);
  BOOST_TEST(table.block(1) == second);
  BOOST_TEST(table.block(2) != nullptr);
  BOOST_TEST(pool.in_use() == 3u);
}

BOOST_FIXTURE_TEST_CASE(reserving_takes_places_without_memory, fixture) {
  BOOST_TEST(table.reserve(pool, 33));
  BOOST_TEST(pool.in_use() == 3u);
  BOOST_TEST(table.block(0) == nullptr);
  BOOST_TEST(!table.reserve(pool, 81));
  BOOST_TEST(table.blocks() == 3u);
}

BOOST_FIXTURE_TEST_CASE(a_shared_block_takes_the_place_of_a_reserved_one,
                        fixture) {
  auto other = page_table{};
  other.grow(pool, 40);
  other.set_length(40);
  table.reserve(pool, 20);
  BOOST_TEST(pool.in_use() == 5u);
  table.share(other.lease(0).share());
  BOOST_TEST(pool.in_use() == 4u);
  BOOST_TEST(table.block(0) == other.block(0));
  BOOST_TEST(table.length() == 16u);
  BOOST_TEST(table.sealed() == 1u);
  // What follows is written elsewhere.
  table.back(20);
  table.set_length(20);
  BOOST_TEST(table.block(1) != other.block(1));
  auto third = page_table{};
  third.share(other.lease(0).share()); // and without a reservation
  third.share(other.lease(1).share());
  BOOST_TEST(third.length() == 32u);
  BOOST_TEST(third.blocks() == 2u);
  BOOST_TEST(pool.in_use() == 4u);
  other.clear();
  BOOST_TEST(pool.in_use() == 3u);
  third.clear();
  BOOST_TEST(third.sealed() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
