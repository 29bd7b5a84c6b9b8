#include "core/kv/defrag.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/random.hpp"
#include "core/kv/handoff.hpp"
#include "core/kv/prefix_index.hpp"
#include "tests/core/kv/defrag_fixture.hpp"
#include "tests/core/kv/resident.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

// 544 bytes a block: sequences should be one run.
const auto small = kv_layout{1, 1, 1, 1, kv_dtype::f16};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_defrag)

// -- the measure --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(holes_and_runs_are_counted, scattered_sequences) {
  BOOST_TEST(measure().holes() == 0);
  BOOST_TEST(measure().mean_run() == 0);
  interleave(2, 5);
  auto f = measure();
  BOOST_TEST(f.used == 10u);
  BOOST_TEST(f.extent == 10u);
  BOOST_TEST(f.blocks == 10u);
  BOOST_TEST(f.runs == 10u);
  tables[0].clear();
  f = measure();
  BOOST_TEST(f.extent == 10u);
  BOOST_TEST(f.holes() == 0.5);
  BOOST_TEST(f.mean_run() == 1.0);
  for (auto i = 0; i < 5; ++i)
    grow(0);
  tables[1].clear();
  BOOST_TEST(measure().extent == 9u);
  add();
  grow(2);
  grow(2);
  tables[2].reserve(pool, 50); // places without memory
  f = measure();
  BOOST_TEST(f.blocks == 7u);
  BOOST_TEST(f.runs == 7u);
}

BOOST_AUTO_TEST_CASE(a_run_ends_with_its_slab) {
  auto s = scattered_sequences{eight_a_run, 64}; // and so is a slab
  s.add();
  for (auto i = 0; i < 60; ++i)
    s.grow(0);
  auto more = block_pool{s.arena, 64};
  BOOST_TEST(s.measure().runs == 1u);
  BOOST_TEST(s.tables[0].grow(more, 100 * kv_block_tokens));
  BOOST_TEST(s.measure().runs == 2u);
}

// -- what it does -------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(every_other_sequence_freed, scattered_sequences) {
  interleave(4, 30);
  tables[0].clear();
  tables[2].clear();
  BOOST_TEST(measure().mean_run() == 1);
  BOOST_TEST(measure().extent == 120u);
  BOOST_TEST(compact_all() <= 120u);
  BOOST_TEST(intact());
  auto f = measure();
  BOOST_TEST(f.used == 60u);
  BOOST_TEST(f.extent == 60u);
  BOOST_TEST(f.mean_run() >= 7);
  BOOST_TEST(pool.in_use() == 60u);
}

BOOST_FIXTURE_TEST_CASE(one_copy_a_block_where_holes_allow,
                        scattered_sequences) {
  interleave(2, 60);
  tables[0].clear();
  auto r = compact_once(1000);
  BOOST_TEST(r.copies == 60u); // not one of them lay right
  BOOST_TEST(!r.done);
  BOOST_TEST(measure().extent == 60u);
  BOOST_TEST(measure().runs == 1u);
  r = compact_once(1000);
  BOOST_TEST(r.copies == 0u);
  BOOST_TEST(r.done);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(memory_goes_back_once_all_is_low, scattered_sequences) {
  interleave(4, 20);
  auto* lowest = tables[0].block(0);
  auto block_pages = block_bytes() / page;
  for (auto t : {0, 1, 3})
    tables[t].clear();
  BOOST_TEST(resident(lowest, 80 * block_bytes()) == 80 * block_pages);
  compact_all();
  BOOST_TEST(arena->trim(5, SIZE_MAX) == 55 * block_bytes());
  BOOST_TEST(resident(lowest, 25 * block_bytes()) == 25 * block_pages);
  BOOST_TEST(resident(lowest, 80 * block_bytes()) == 25 * block_pages);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(a_full_arena_is_put_in_order_by_exchange,
                        scattered_sequences) {
  interleave(8, 8);
  BOOST_TEST(compact_all() <= 128u);
  auto f = measure();
  BOOST_TEST(f.extent == 64u);
  BOOST_TEST(f.runs <= 8u); // runs of two sequences may touch nothing
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(what_is_in_order_stays_where_it_is,
                        scattered_sequences) {
  interleave(1, 40);
  BOOST_TEST(compact_once(1000).done);
  // Nor does a sequence that grows beside another begin to wander.
  add();
  for (auto i = 0; i < 3; ++i) {
    grow(1);
    grow(1);
    grow(0);
    grow(0);
  }
  BOOST_TEST(compact_once(1000).copies == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_whole_run_goes_down_whole, scattered_sequences) {
  interleave(1, 8);
  for (auto t = 1; t < 4; ++t) {
    add();
    for (auto i = 0; i < 8; ++i)
      grow(t);
  }
  tables[1].clear();
  auto r = compact_once(1000);
  BOOST_TEST(r.copies == 8u);
  BOOST_TEST(slot(3, 0) == 8u);
  BOOST_TEST(slot(2, 0) == 16u);
  BOOST_TEST(measure().runs == 3u);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(work_is_bounded_and_goes_on_where_it_was,
                        scattered_sequences) {
  for (auto bound : {2u, 3u, 7u, 50u}) {
    tables.clear();
    uses.clear();
    interleave(6, 20);
    tables[1].clear();
    tables[4].clear();
    // Each block moves once and is once moved out of the way, at most.
    BOOST_TEST(compact_all(bound) <= 4 * 80u);
    BOOST_TEST(intact());
    BOOST_TEST(measure().extent == 80u);
    BOOST_TEST(measure().mean_run() >= 5);
  }
}

BOOST_FIXTURE_TEST_CASE(nothing_to_do_for_nobody, scattered_sequences) {
  BOOST_TEST(compact_once(10).done);
  add();
  BOOST_TEST(compact_once(10).done);
  tables[0].reserve(pool, 100);
  BOOST_TEST(compact_once(10).done);
  interleave(1, 1);
  BOOST_TEST(compact_once(10).done);
}

// -- what it must not do ------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_next_owner_of_an_old_place_sees_zeros,
                        scattered_sequences) {
  interleave(2, 20);
  tables[0].clear();
  compact_all();
  auto fresh = pool.take(300);
  BOOST_REQUIRE(fresh);
  for (auto& lease : *fresh)
    BOOST_TEST(all_are(lease.data(), block_bytes(), std::byte{0}));
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(a_block_that_somebody_reads_stays,
                        scattered_sequences) {
  interleave(3, 16);
  tables[0].clear();
  auto reader = tables[1].lease(5).ref();
  auto shared = tables[2].lease(3).share();
  auto* a = reader.get();
  auto* b = shared.data();
  compact_all();
  BOOST_TEST(tables[1].block(5) == a);
  BOOST_TEST(tables[2].block(3) == b);
  BOOST_TEST(intact());
  auto f = measure();
  BOOST_TEST(f.mean_run() > 2.5);
  // Once they are let go, the rest follows.
  reader = nullptr;
  shared = {};
  compact_all();
  BOOST_TEST(measure().extent == 32u);
  BOOST_TEST(measure().mean_run() >= 6);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(a_chunk_under_way_holds_its_blocks,
                        scattered_sequences) {
  interleave(2, 24);
  tables[0].clear();
  auto& table = tables[1];
  table.set_length(table.room());
  auto offer = kv_offer{};
  offer.model = "m";
  offer.layout = eight_a_run;
  offer.blocks = offer.max_blocks = 24;
  auto sender = kv_sender{offer, {}};
  auto out = kv_outbox{};
  auto now = time_point{};
  sender.start(now, out);
  sender.push(table, 0, 8, 0, 4, now, out);
  auto before = std::vector<std::byte*>{};
  for (auto i = 0u; i < 24; ++i)
    before.push_back(table.block(i));
  compact_all();
  for (auto i = 0u; i < 8; ++i)
    BOOST_TEST(table.block(i) == before[i]);
  BOOST_TEST(measure().mean_run() >= 1.5); // the others did move
  sender.abort(errc::abandoned, "enough", out);
  out.clear();
  BOOST_TEST(compact_all() > 0u);
  BOOST_TEST(measure().extent == 24u);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(blocks_that_an_index_keeps_stay, scattered_sequences) {
  interleave(2, 10);
  tables[0].clear();
  auto index = prefix_index{100};
  auto ids = std::vector<token_id>(4 * kv_block_tokens, 7);
  tables[1].set_length(10 * kv_block_tokens);
  index.insert("", ids, tables[1]);
  auto* kept = tables[1].block(3);
  compact_all();
  BOOST_TEST(tables[1].block(3) == kept);
  BOOST_TEST(slot(1, 9) < 10u);
  auto other = page_table{};
  ids.push_back(1);
  BOOST_TEST(index.share("", ids, other) == 64u);
  BOOST_TEST(other.block(3) == kept);
  BOOST_TEST(intact());
}

BOOST_FIXTURE_TEST_CASE(blocks_lent_by_another_arena_stay,
                        scattered_sequences) {
  interleave(2, 8);
  tables[0].clear();
  auto theirs = make_block_arena(eight_a_run);
  auto lent = theirs->allocate();
  std::memset(lent.get(), static_cast<int>(mark(1, 2)),
              eight_a_run.block_bytes());
  auto* p = lent.get();
  tables[1].lease(2).attach(std::move(lent));
  compact_all();
  BOOST_TEST(tables[1].block(2) == p);
  BOOST_TEST(measure().blocks == 7u);
  BOOST_TEST(measure().extent == 7u);
  BOOST_TEST(intact());
}

// -- anything goes ------------------------------------------------------------

// A block that somebody holds beside its sequence, and what is in it.
struct held_block {
  block_lease lease; ///< or
  block_ref ref;
  std::byte* where;
  std::byte mark;
};

void run_schedule(scattered_sequences& s, uint64_t seed) {
  auto n = uint64_t{0};
  auto draw = [&](size_t below) {
    return static_cast<uint32_t>(random_bits(seed, n++) % below);
  };
  auto held = std::vector<held_block>{};
  auto places = [&] {
    auto all = std::set<std::byte*>{};
    for (auto& t : s.tables)
      for (auto i = 0u; i < t.blocks(); ++i)
        BOOST_REQUIRE(all.insert(t.block(i)).second);
    for (auto& h : held)
      all.insert(h.where);
    return all.size();
  };
  for (auto i = 0; i < 6; ++i)
    s.add();
  for (auto step = 0; step < 400; ++step) {
    auto t = draw(s.tables.size());
    auto& table = s.tables[t];
    auto what = draw(20);
    if (what < 10) {
      s.grow(t);
    } else if (what == 10) {
      s.free(t);
    } else if (what < 14 && table.blocks() > 0) {
      auto i = draw(table.blocks());
      auto h = held_block{{}, {}, table.block(i), s.mark(t, i)};
      if (what == 11)
        h.lease = table.lease(i).share();
      else
        h.ref = table.lease(i).ref();
      held.push_back(std::move(h));
    } else if (what < 17 && !held.empty()) {
      held.erase(held.begin() + draw(held.size()));
    } else if (what == 17) {
      s.arena->trim(draw(4), draw(2) * SIZE_MAX);
    } else {
      auto most = 2 + draw(12);
      BOOST_REQUIRE(s.compact_once(most).copies <= most);
    }
    // Nothing lost, nothing doubled, nothing moved under a reader's eyes.
    BOOST_REQUIRE(s.measure().used == places());
    BOOST_REQUIRE(s.pool.in_use() <= places());
    for (auto& h : held) {
      BOOST_REQUIRE(all_are(h.where, s.block_bytes(), h.mark));
      BOOST_REQUIRE((h.ref ? h.ref.get() : h.lease.data()) == h.where);
    }
    if (step % 10 == 0)
      BOOST_REQUIRE(s.intact());
  }
  held.clear();
  s.compact_all(2 + draw(50));
  BOOST_TEST(s.measure().holes() == 0);
  BOOST_TEST(s.intact());
  for (auto i = 0u; i < s.tables.size(); ++i)
    s.free(i);
  BOOST_TEST(s.pool.in_use() == 0u);
  BOOST_TEST(s.measure().used == 0u);
}

BOOST_AUTO_TEST_CASE(any_schedule_ends_in_order) {
  for (auto seed = 0u; seed < 200; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      auto s = scattered_sequences{small, 70};
      run_schedule(s, seed);
    }
  for (auto seed = 200u; seed < 206; ++seed)
    BOOST_TEST_CONTEXT("seed " << seed) {
      auto s = scattered_sequences{eight_a_run, 100};
      run_schedule(s, seed);
    }
}

// Another node's thread takes, reads and gives back blocks of the same arena;
// some of them blocks that were ours.
BOOST_FIXTURE_TEST_CASE(others_use_the_arena_meanwhile, scattered_sequences) {
  for (auto i = 0; i < 4; ++i)
    add();
  auto lent = std::vector<block_ref>{};
  auto mutex = std::mutex{};
  auto wrong = std::atomic<int>{0};
  auto other = std::jthread{[&](std::stop_token stop) {
    auto mine = block_pool{arena, 40};
    while (!stop.stop_requested()) {
      auto some = mine.take(1 + mine.available() / 2);
      for (auto& lease : *some) {
        wrong += all_are(lease.data(), block_bytes(), std::byte{0}) ? 0 : 1;
        std::memset(lease.data(), 0xff, block_bytes());
      }
      auto seen = block_ref{};
      {
        auto guard = std::lock_guard{mutex};
        if (!lent.empty()) {
          seen = std::move(lent.back());
          lent.pop_back();
        }
      }
      if (seen)
        wrong += all_are(seen.get(), block_bytes(), *seen) ? 0 : 1;
      arena->trim(5, size_t{1} << 20);
    }
  }};
  for (auto round = 0u; round < 150; ++round) {
    for (auto t = 0u; t < 4; ++t)
      if (random_bits(7, round, t) % 8 == 0)
        free(t);
      else if (grow(t)) {
        auto guard = std::lock_guard{mutex};
        lent.push_back(tables[t].lease(tables[t].blocks() / 2).ref());
      }
    BOOST_TEST(compact_once(20).copies <= 20u);
    BOOST_TEST(intact());
  }
  other.request_stop();
  other.join();
  lent.clear();
  BOOST_TEST(wrong == 0);
  compact_all();
  BOOST_TEST(measure().holes() == 0);
  BOOST_TEST(intact());
}

BOOST_AUTO_TEST_SUITE_END()
