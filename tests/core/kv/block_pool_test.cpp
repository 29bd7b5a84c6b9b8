#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <thread>

#include "core/kv/block_pool.hpp"

using namespace troupe;

namespace {

const auto layout = kv_layout{2, 1, 4, 4, kv_dtype::f16};

struct fixture {
  std::shared_ptr<block_arena> arena = make_block_arena(layout);
  block_pool pool{arena, 4};
};

bool all_zero(const std::byte* p, size_t n) {
  return std::all_of(p, p + n, [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_block_pool)

BOOST_FIXTURE_TEST_CASE(what_is_taken_comes_back_by_itself, fixture) {
  {
    auto a = pool.take(3);
    BOOST_REQUIRE(a);
    BOOST_TEST(a->size() == 3u);
    BOOST_TEST(pool.available() == 1u);
    BOOST_TEST(pool.in_use() == 3u);
  }
  BOOST_TEST(pool.available() == 4u);
}

BOOST_FIXTURE_TEST_CASE(too_many_takes_nothing, fixture) {
  auto a = pool.take(2);
  BOOST_TEST(!pool.take(3));
  BOOST_TEST(!pool.reserve(0xffffffffu));
  BOOST_TEST(pool.available() == 2u);
  BOOST_TEST(pool.take(2).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_block_is_zero_and_aligned_on_every_use, fixture) {
  for (auto round = 0; round < 3; ++round) {
    auto a = pool.take(4);
    for (auto& lease : *a) {
      BOOST_TEST(reinterpret_cast<uintptr_t>(lease.data()) % 64 == 0u);
      BOOST_TEST(all_zero(lease.data(), layout.block_bytes()));
      std::memset(lease.data(), 0xab, layout.block_bytes());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(memory_is_reused, fixture) {
  auto first = std::vector<std::byte*>{};
  {
    auto a = pool.take(4);
    for (auto& lease : *a)
      first.push_back(lease.data());
  }
  auto b = pool.take(4);
  for (auto& lease : *b)
    BOOST_TEST(
        (std::find(first.begin(), first.end(), lease.data()) != first.end()));
}

BOOST_FIXTURE_TEST_CASE(a_moved_lease_counts_once, fixture) {
  auto a = pool.take(1);
  auto b = std::move(a->front());
  a.reset();
  BOOST_TEST(pool.in_use() == 1u);
  auto c = block_lease{};
  c = std::move(b);
  BOOST_TEST(pool.in_use() == 1u);
  auto d = pool.take(1);
  c = std::move(d->front()); // the block that c held goes back
  BOOST_TEST(pool.in_use() == 1u);
  c = block_lease{};
  BOOST_TEST(pool.in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_reserved_slot_gets_memory_later, fixture) {
  auto a = pool.reserve(2);
  BOOST_TEST(!a->front().has_memory());
  a->front().materialise();
  BOOST_TEST(all_zero(a->front().data(), layout.block_bytes()));
  BOOST_TEST(pool.in_use() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_lent_block_outlives_its_first_owner, fixture) {
  auto other = block_pool{arena, 2};
  auto here = other.reserve(1);
  {
    auto there = pool.take(1);
    std::memset(there->front().data(), 7, layout.block_bytes());
    here->front().attach(there->front().ref());
    BOOST_TEST(here->front().data() == there->front().data());
  }
  BOOST_TEST(pool.in_use() == 0u);
  BOOST_TEST(other.in_use() == 1u);
  // It is not handed out while somebody still reads it.
  auto fresh = pool.take(4);
  for (auto& lease : *fresh)
    BOOST_TEST(lease.data() != here->front().data());
  BOOST_TEST((here->front().data()[0] == std::byte{7}));
}

BOOST_FIXTURE_TEST_CASE(leases_outlive_their_pool, fixture) {
  auto lease = block_lease{};
  {
    auto p = block_pool{make_block_arena(layout), 1};
    lease = std::move(p.take(1)->front());
  }
  std::memset(lease.data(), 1, layout.block_bytes());
}

BOOST_FIXTURE_TEST_CASE(sharers_of_a_block_count_once, fixture) {
  auto a = pool.take(1);
  BOOST_TEST(!a->front().shared());
  {
    auto b = a->front().share();
    BOOST_TEST(a->front().shared());
    BOOST_TEST(b.data() == a->front().data());
    BOOST_TEST(pool.in_use() == 1u);
    a.reset();
    BOOST_TEST(pool.in_use() == 1u);
    BOOST_TEST(!b.shared());
  }
  BOOST_TEST(pool.in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(blocks_come_back_from_other_threads, fixture) {
  for (auto round = 0; round < 200; ++round) {
    auto a = pool.take(4);
    BOOST_REQUIRE(a);
    auto t =
        std::thread{[leases = std::move(*a)]() mutable { leases.clear(); }};
    t.join();
    BOOST_TEST(pool.in_use() == 0u);
  }
}

BOOST_AUTO_TEST_SUITE_END()
