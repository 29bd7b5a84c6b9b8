#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "core/base/random.hpp"
#include "core/kv/block_pool.hpp"
#include "tests/core/kv/resident.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

// 64 KiB a block.
const auto large = kv_layout{2, 8, 64, 64, kv_dtype::f16};
// 608 bytes in slots of 640, so that pages are shared.
const auto small = kv_layout{1, 1, 3, 1, kv_dtype::f16};

bool all_zero(const std::byte* p, size_t n) {
  return std::all_of(p, p + n, [](std::byte b) { return b == std::byte{0}; });
}

struct fixture {
  explicit fixture(const kv_layout& l = large) : arena(make_block_arena(l)) {
    arena->expect(200);
  }

  std::vector<block_ref> allocate(size_t n) {
    auto blocks = std::vector<block_ref>(n);
    for (auto& b : blocks)
      b = arena->allocate();
    return blocks;
  }

  void fill(const block_ref& b, int value) {
    std::memset(b.get(), value, arena->layout().block_bytes());
  }

  bool zero(const block_ref& b) {
    return all_zero(b.get(), arena->layout().block_bytes());
  }

  std::shared_ptr<block_arena> arena;
};

struct small_fixture : fixture {
  small_fixture() : fixture(small) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_block_arena)

BOOST_FIXTURE_TEST_CASE(the_lowest_free_slot_comes_first, fixture) {
  auto b = allocate(130);
  for (auto i = 0u; i < 130; ++i)
    BOOST_TEST(arena->slot_of(b[i]).value() == i);
  b[100] = b[7] = b[64] = nullptr;
  for (auto slot : {7u, 64u, 100u, 130u}) {
    b.push_back(arena->allocate());
    BOOST_TEST(arena->slot_of(b.back()).value() == slot);
  }
}

BOOST_FIXTURE_TEST_CASE(neighbours_in_number_are_neighbours_in_memory,
                        fixture) {
  auto b = allocate(600); // more than a slab
  auto slabs = 0;
  for (auto i = 0u; i < b.size(); ++i) {
    BOOST_TEST(reinterpret_cast<uintptr_t>(b[i].get()) % 64 == 0u);
    if (arena->begins_slab(i))
      ++slabs;
    else
      BOOST_TEST(b[i].get() == b[i - 1].get() + large.block_bytes());
  }
  BOOST_TEST(slabs == 3); // as large as was expected: 256 slots
}

BOOST_FIXTURE_TEST_CASE(a_slot_is_claimed_once, fixture) {
  auto b = allocate(3);
  BOOST_TEST(!arena->claim(1));
  b[1] = nullptr;
  auto again = arena->claim(1);
  BOOST_REQUIRE(again);
  BOOST_TEST(arena->slot_of(again).value() == 1u);
  BOOST_TEST(!arena->claim(1));
  BOOST_TEST(!arena->claim(256)); // there is no such slot
  auto taken = arena->taken();
  BOOST_TEST(taken.size() == 4u);
  BOOST_TEST(taken[0] == 7u);
}

BOOST_FIXTURE_TEST_CASE(blocks_of_others_have_no_slot, fixture) {
  auto other = make_block_arena(large);
  BOOST_TEST(!arena->slot_of(other->allocate()));
  BOOST_TEST(!arena->slot_of(std::make_shared<std::byte>()));
  BOOST_TEST(!arena->slot_of(nullptr));
  BOOST_TEST(arena->taken().empty());
}

BOOST_FIXTURE_TEST_CASE(a_claimed_slot_is_zero_to_the_next_owner, fixture) {
  auto b = arena->allocate();
  fill(b, 1);
  b = nullptr;
  b = arena->claim(0);
  fill(b, 2);
  b = nullptr;
  BOOST_TEST(zero(arena->allocate()));
  b = arena->claim(3); // never used before
  fill(b, 3);
  b = nullptr;
  auto all = allocate(4);
  BOOST_TEST(zero(all[3]));
}

// -- memory -------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_fresh_block_has_no_memory_until_it_is_written,
                        fixture) {
  auto b = allocate(4);
  BOOST_TEST(resident(b[0].get(), 4 * large.block_bytes()) == 0u);
  fill(b[1], 1);
  for (auto i : {0, 2, 3})
    BOOST_TEST(zero(b[i]));
}

BOOST_FIXTURE_TEST_CASE(free_slots_give_their_pages_back, fixture) {
  auto b = allocate(200);
  for (auto& x : b)
    fill(x, 0xab);
  auto* p = b[0].get();
  auto pages = large.block_bytes() / page;
  BOOST_TEST(resident(p, 200 * large.block_bytes()) == 200 * pages);
  BOOST_TEST(arena->trim(0, SIZE_MAX) == 0u);
  auto kept = std::vector<block_ref>{b[3], b[50], b[199]};
  b.clear();
  BOOST_TEST(arena->trim(0, SIZE_MAX) == 197 * large.block_bytes());
  BOOST_TEST(resident(p, 200 * large.block_bytes()) == 3 * pages);
  BOOST_TEST(arena->trim(0, SIZE_MAX) == 0u);
  for (auto& x : kept)
    BOOST_TEST(std::all_of(x.get(), x.get() + large.block_bytes(),
                           [](std::byte c) { return c == std::byte{0xab}; }));
  for (auto& x : allocate(197))
    BOOST_TEST(zero(x));
}

BOOST_FIXTURE_TEST_CASE(what_is_spared_and_what_is_beyond_the_bound_stays,
                        fixture) {
  auto b = allocate(100);
  for (auto& x : b)
    fill(x, 0xab);
  auto* p = b[0].get();
  auto block = large.block_bytes();
  auto first = b[0];
  b.clear();
  BOOST_TEST(arena->trim(9, 20 * block) == 20 * block);
  BOOST_TEST(resident(p, 10 * block) == 10 * block / page);
  BOOST_TEST(resident(p + 10 * block, 20 * block) == 0u);
  BOOST_TEST(resident(p + 30 * block, 70 * block) == 70 * block / page);
  BOOST_TEST(arena->trim(1000, SIZE_MAX) == 0u);
  BOOST_TEST(arena->trim(90, SIZE_MAX) == 9 * block);
}

BOOST_FIXTURE_TEST_CASE(pages_that_slots_share_are_cleared_by_hand,
                        small_fixture) {
  auto b = allocate(256);
  for (auto& x : b)
    fill(x, 0xab);
  auto* p = b[0].get();
  auto kept = b[20];
  b.clear();
  // [0, 20) and [21, 256) are free.
  BOOST_TEST(arena->trim(0, SIZE_MAX) > 0u);
  BOOST_TEST(resident(p, 256 * small.block_bytes()) == 1u);
  BOOST_TEST(arena->trim(0, SIZE_MAX) == 0u);
  BOOST_TEST(std::all_of(kept.get(), kept.get() + small.block_bytes(),
                         [](std::byte c) { return c == std::byte{0xab}; }));
  for (auto& x : allocate(255))
    BOOST_TEST(zero(x));
}

BOOST_FIXTURE_TEST_CASE(slots_smaller_than_a_page_are_trimmed_within_bounds,
                        small_fixture) {
  auto b = allocate(256);
  for (auto& x : b)
    fill(x, 0xab);
  b.clear();
  BOOST_TEST(arena->trim(0, 1) <= 2 * page);
  auto rounds = 0;
  for (; arena->trim(3, page) > 0; ++rounds)
    BOOST_REQUIRE(rounds < 256);
  BOOST_TEST(rounds > 5);
  for (auto& x : allocate(256))
    BOOST_TEST(zero(x));
}

// A model of who holds what, and a pattern in each block: whatever is freed,
// claimed and given back, blocks are fresh to their owner and nobody else's.
BOOST_AUTO_TEST_CASE(any_schedule_of_use_and_trimming_keeps_blocks_apart) {
  for (auto seed = 0u; seed < 40; ++seed) {
    auto f = seed % 2 == 0 ? fixture{} : fixture{small};
    auto n = uint64_t{0};
    auto draw = [&](uint32_t below) {
      return static_cast<uint32_t>(random_bits(seed, n++) % below);
    };
    auto held = std::vector<std::pair<block_ref, int>>{};
    auto slots = std::set<uint32_t>{};
    for (auto step = 0; step < 300; ++step) {
      auto what = draw(8);
      if (what < 4) {
        held.emplace_back(f.arena->allocate(), 1 + draw(255));
        BOOST_REQUIRE(f.zero(held.back().first));
      } else if (what == 4) {
        auto b = f.arena->claim(draw(64));
        if (b)
          held.emplace_back(std::move(b), 1 + draw(255));
      } else if (what == 5) {
        f.arena->trim(draw(10), draw(1 << 20));
      } else if (!held.empty()) {
        auto i = draw(static_cast<uint32_t>(held.size()));
        auto* p = held[i].first.get();
        auto value = static_cast<std::byte>(held[i].second);
        BOOST_REQUIRE(std::all_of(p, p + f.arena->layout().block_bytes(),
                                  [&](std::byte c) { return c == value; }));
        slots.erase(f.arena->slot_of(held[i].first).value());
        held.erase(held.begin() + i);
        continue;
      }
      if (what < 5 && slots.size() < held.size()) {
        f.fill(held.back().first, held.back().second);
        BOOST_REQUIRE(
            slots.insert(f.arena->slot_of(held.back().first).value()).second);
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(threads_take_give_and_trim_at_once, fixture) {
  auto wrong = std::atomic<int>{0};
  auto threads = std::vector<std::thread>{};
  for (auto t = 1; t <= 3; ++t)
    threads.emplace_back([&, t] {
      auto held = std::vector<block_ref>{};
      for (auto i = 0u; i < 300; ++i) {
        held.push_back(i % 5 == 0 ? arena->claim(i % 16) : arena->allocate());
        if (held.back() == nullptr) {
          held.pop_back();
          continue;
        }
        if (i % 5 != 0 && held.back().get()[i] != std::byte{0})
          ++wrong;
        held.back().get()[i] = static_cast<std::byte>(t);
        if (held.size() > 6)
          held.erase(held.begin() + i % 6);
        if (i % 16 == 0)
          arena->trim(2, size_t{1} << 18);
      }
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST(wrong == 0);
  auto taken = arena->taken();
  BOOST_TEST(std::all_of(taken.begin(), taken.end(),
                         [](uint64_t w) { return w == 0; }));
}

BOOST_AUTO_TEST_SUITE_END()
