#include "core/kv/store.hpp"

#include "tests/core/kv/handoff_fixture.hpp"
#include "tests/core/kv/store_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Six blocks in memory, eight in the file; stored sequences are painted with
// their number.
struct store_fixture {
  std::shared_ptr<fake_file> disk = std::make_shared<fake_file>();
  std::shared_ptr<block_arena> arena = make_block_arena(layout);
  sequence_store store{arena, 6, swap_file{disk, layout.block_bytes(), 8}};
  block_pool elsewhere{arena, 64};

  result<void> try_put(seq_id seq, uint32_t blocks) {
    if (auto ok = store.make_room(blocks); !ok)
      return ok;
    auto t = page_table{};
    BOOST_REQUIRE(t.grow(store.pool(), blocks * kv_block_tokens));
    paint(t, layout, seq);
    t.set_length(blocks * kv_block_tokens - 3);
    store.put(seq, std::move(t));
    return {};
  }

  void put(seq_id seq, uint32_t blocks) {
    BOOST_REQUIRE(try_put(seq, blocks).ok());
  }

  // Pins it and compares.
  void expect_intact(seq_id seq, uint32_t blocks) {
    BOOST_TEST_CONTEXT("sequence " << seq) {
      auto t = store.pin(seq);
      BOOST_REQUIRE(t.ok());
      auto expected = page_table{};
      BOOST_REQUIRE(expected.grow(elsewhere, blocks * kv_block_tokens));
      paint(expected, layout, seq);
      BOOST_TEST((*t)->blocks() == blocks);
      BOOST_TEST((*t)->length() == blocks * kv_block_tokens - 3);
      BOOST_TEST(same_bytes(**t, expected, blocks, layout));
      store.unpin(seq);
    }
  }

  std::vector<uint32_t> in_file(std::vector<seq_id> seqs) {
    auto n = std::vector<uint32_t>{};
    for (auto s : seqs)
      n.push_back(store.in_file(s));
    return n;
  }
};

using counts = std::vector<uint32_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(kv_store_core)

BOOST_FIXTURE_TEST_CASE(what_fits_stays_in_memory, store_fixture) {
  put(1, 2);
  put(2, 4);
  BOOST_TEST(disk->writes == 0u);
  BOOST_TEST(store.pool().in_use() == 6u);
  expect_intact(1, 2);
  expect_intact(2, 4);
  store.erase(1);
  store.erase(2);
  store.erase(2);
  BOOST_TEST(store.pool().in_use() == 0u);
  BOOST_TEST(store.used().sequences == 0u);
}

BOOST_FIXTURE_TEST_CASE(the_longest_stored_goes_to_the_file, store_fixture) {
  put(7, 2);
  put(3, 2);
  put(5, 2);
  put(1, 1);
  BOOST_TEST((in_file({7, 3, 5, 1}) == counts{1, 0, 0, 0}));
  put(9, 2);
  BOOST_TEST((in_file({7, 3, 5, 1, 9}) == counts{2, 1, 0, 0, 0}));
  BOOST_TEST(store.pool().in_use() == 6u);
  BOOST_TEST(store.used().file_blocks == 3u);
  BOOST_TEST(store.used().spilled_bytes == 3 * layout.block_bytes());
  store.erase(7);
  put(7, 4); // it is the youngest now
  BOOST_TEST((in_file({3, 5, 1, 9, 7}) == counts{2, 2, 1, 0, 0}));
}

BOOST_FIXTURE_TEST_CASE(a_round_trip_by_the_file_keeps_every_byte,
                        store_fixture) {
  put(1, 4);
  put(2, 4);
  put(3, 5);
  BOOST_TEST((in_file({1, 2, 3}) == counts{4, 3, 0}));
  for (seq_id seq : {2, 1, 3, 1, 2, 3})
    expect_intact(seq, seq == 3 ? 5 : 4);
  for (seq_id seq : {1, 2, 3})
    store.erase(seq);
  BOOST_TEST(store.pool().in_use() == 0u);
  BOOST_TEST(store.used().file_blocks == 0u);
}

BOOST_FIXTURE_TEST_CASE(memory_and_file_are_bounded, store_fixture) {
  for (seq_id seq = 1; seq <= 14; ++seq)
    put(seq, 1);
  auto full = try_put(15, 1);
  BOOST_REQUIRE(!full);
  BOOST_TEST((full.failure().code == errc::no_free_blocks));
  auto large = try_put(16, 7);
  BOOST_REQUIRE(!large);
  BOOST_TEST((large.failure().code == errc::no_free_blocks));
  BOOST_TEST(store.pool().in_use() == 6u);
  BOOST_TEST(disk->bytes.size() == 8 * layout.block_bytes());
  // Both are full, and still each can be had, in any order.
  for (seq_id seq : {1, 14, 2, 13, 3, 12, 4, 11, 5, 10, 6, 9, 7, 8})
    expect_intact(seq, 1);
  BOOST_TEST(store.used().file_blocks == 8u);
  store.erase(9);
  put(15, 1);
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_loses_nothing, store_fixture) {
  put(1, 3);
  put(2, 3);
  disk->disk = 2 * layout.block_bytes();
  disk->tears = true;
  auto refused = try_put(3, 3);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.failure().code == errc::io_error));
  BOOST_TEST((in_file({1, 2}) == counts{2, 0}));
  expect_intact(2, 3);
  expect_intact(1, 3);
  disk->disk = 100 * layout.block_bytes();
  put(3, 3);
  for (seq_id seq : {1, 2, 3})
    expect_intact(seq, 3);
}

BOOST_FIXTURE_TEST_CASE(a_disk_that_fails_for_good_loses_nothing,
                        store_fixture) {
  for (seq_id seq = 1; seq <= 14; ++seq)
    put(seq, 1);
  disk->broken = true;
  for (seq_id seq = 1; seq <= 8; ++seq) {
    auto t = store.pin(seq);
    BOOST_REQUIRE(!t);
    BOOST_TEST((t.failure().code == errc::io_error));
    BOOST_TEST(store.contains(seq));
  }
  store.erase(14);
  expect_intact(1, 1); // there is room for one without writing
  disk->broken = false;
  for (seq_id seq = 1; seq <= 13; ++seq)
    expect_intact(seq, 1);
}

BOOST_FIXTURE_TEST_CASE(damage_in_the_file_ends_that_sequence_alone,
                        store_fixture) {
  put(1, 3);
  put(2, 3);
  put(3, 6);
  disk->bytes[4 * layout.block_bytes() + 5] ^= std::byte{4}; // in sequence 2
  auto t = store.pin(2);
  BOOST_REQUIRE(!t);
  BOOST_TEST((t.failure().code == errc::digest_mismatch));
  BOOST_TEST(!store.contains(2));
  expect_intact(1, 3);
  expect_intact(3, 6);
  BOOST_TEST(store.used().sequences == 2u);
  store.erase(1);
  store.erase(3);
  BOOST_TEST(store.pool().in_use() == 0u);
  BOOST_TEST(store.used().file_blocks == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_read_now_stays, store_fixture) {
  put(1, 4);
  put(2, 4);
  disk->unreadable = true;
  auto t = store.pin(1);
  BOOST_REQUIRE(!t);
  BOOST_TEST((t.failure().code == errc::io_error));
  disk->unreadable = false;
  expect_intact(1, 4);
  expect_intact(2, 4);
}

BOOST_FIXTURE_TEST_CASE(pinned_blocks_stay_in_memory, store_fixture) {
  put(1, 3);
  put(2, 3);
  BOOST_TEST(store.pin(1).ok());
  BOOST_TEST(store.pin(1).ok()); // again
  put(3, 2);
  BOOST_TEST((in_file({1, 2, 3}) == counts{0, 2, 0}));
  auto none = store.make_room(4);
  BOOST_REQUIRE(!none);
  BOOST_TEST((none.failure().code == errc::no_free_blocks));
  BOOST_TEST((in_file({1, 2, 3}) == counts{0, 2, 0})); // nothing was begun
  BOOST_TEST(store.pin(3).ok());
  auto t = store.pin(2); // needs two more, and one of its own is all there is
  BOOST_REQUIRE(!t);
  BOOST_TEST((t.failure().code == errc::no_free_blocks));
  store.unpin(1);
  store.unpin(1);
  store.unpin(99);
  store.unpin(3);
  expect_intact(2, 3);
  store.erase(3); // pinned or not
  BOOST_TEST(store.pin(1).ok());
  store.erase(1);
  expect_intact(2, 3);
  BOOST_TEST(store.pool().in_use() == 3u);
}

BOOST_AUTO_TEST_CASE(without_a_file_memory_is_all_there_is) {
  auto store = sequence_store{make_block_arena(layout), 4};
  auto t = page_table{};
  BOOST_REQUIRE(t.grow(store.pool(), 3 * kv_block_tokens));
  store.put(1, std::move(t));
  BOOST_TEST(store.make_room(1).ok());
  auto none = store.make_room(2);
  BOOST_REQUIRE(!none);
  BOOST_TEST((none.failure().code == errc::no_free_blocks));
  BOOST_TEST(store.pin(1).ok());
}

// Thousands of seeded operations on a disk that fails at random, beside a
// plain account of what must be there.
BOOST_AUTO_TEST_CASE(nothing_is_lost_or_leaks_whatever_the_disk_does) {
  auto refusals = 0, stored = 0, failed_reads = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    auto f = store_fixture{};
    auto n = uint64_t{0};
    auto draw = [&](uint64_t below) { return random_bits(seed, n++) % below; };
    auto held = std::map<seq_id, uint32_t>{};
    for (seq_id seq = 1; seq <= 60; ++seq) {
      f.disk->broken = draw(4) == 0;
      f.disk->unreadable = draw(8) == 0;
      f.disk->disk = draw(12) * layout.block_bytes();
      auto blocks = static_cast<uint32_t>(1 + draw(4));
      if (f.try_put(seq, blocks).ok()) {
        held[seq] = blocks;
        ++stored;
      } else {
        ++refusals;
      }
      if (!held.empty()) {
        auto some =
            std::next(held.begin(), static_cast<ptrdiff_t>(draw(held.size())));
        if (auto t = f.store.pin(some->first); !t) {
          BOOST_TEST((t.failure().code != errc::digest_mismatch));
          ++failed_reads;
        }
        f.store.unpin(some->first);
        if (draw(3) == 0) {
          f.store.erase(some->first);
          held.erase(some);
        }
      }
      auto total = uint32_t{0}, on_disk = uint32_t{0};
      for (auto [s, b] : held) {
        BOOST_REQUIRE(f.store.contains(s));
        total += b;
        on_disk += f.store.in_file(s);
      }
      auto used = f.store.used();
      BOOST_REQUIRE_EQUAL(used.sequences, held.size());
      BOOST_REQUIRE_EQUAL(used.file_blocks, on_disk);
      BOOST_REQUIRE_EQUAL(f.store.pool().in_use(), total - on_disk);
    }
    f.disk->broken = f.disk->unreadable = false;
    f.disk->disk = 8 * layout.block_bytes();
    for (auto [s, b] : held)
      f.expect_intact(s, b);
  }
  BOOST_TEST(refusals > 100);
  BOOST_TEST(stored > 100);
  BOOST_TEST(failed_reads > 100);
}

BOOST_AUTO_TEST_SUITE_END()
