#include "core/serving/preempt_scheduler.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "core/base/random.hpp"

using namespace troupe;
using enum schedule_phase;

namespace {

constexpr auto second = int64_t{1'000'000'000};

// A view at 100 s, in which everybody has just come. Blocks are of 1 MiB, a
// decode step takes 20 ms, a token of a prompt 0.4 ms, a block's copy 0.5 ms.
struct fixture {
  schedule_view view;
  schedule_policy policy;
  swap_cost cost;

  fixture() {
    view.number = 7;
    view.entries.reserve(64); // references stay
    view.now_ns = 100 * second;
    view.capacity = 100;
    view.free_blocks = 100;
    view.max_rows = 8;
    view.block_bytes = 1 << 20;
    view.store = true;
    policy.horizon = 8;
    policy.admit_horizon = 16;
  }

  // One that waits, to be started with 10 blocks.
  schedule_entry& add(seq_id seq, uint32_t remaining) {
    auto e = schedule_entry{};
    e.seq = seq;
    e.arrival_ns = view.now_ns - second + static_cast<int64_t>(seq);
    e.prompt = 150;
    e.max_tokens = 10'000;
    e.blocks_to_start = 10;
    e.tokens_to_compute = 150;
    e.remaining = remaining;
    view.entries.push_back(e);
    return view.entries.back();
  }

  // One that has run for some time, in blocks that were free.
  schedule_entry& add_running(seq_id seq, uint32_t remaining,
                              uint32_t blocks = 10) {
    auto& e = add(seq, remaining);
    e.phase = running;
    e.prompt = blocks * 16 - 10;
    e.tokens_to_compute = e.prompt;
    e.blocks = blocks;
    e.blocks_to_start = 0;
    view.free_blocks -= blocks;
    return e;
  }

  schedule_plan plan() { return plan_schedule(view, policy, cost); }

  std::vector<seq_id> order() { return plan().order; }

  std::vector<seq_id> victims() {
    auto all = std::vector<seq_id>{};
    for (auto& p : plan().preempt)
      all.push_back(p.seq);
    return all;
  }
};

using list = std::vector<seq_id>;

} // namespace

BOOST_AUTO_TEST_SUITE(preempt_scheduler_suite)

// -- order --------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nobody_is_no_plan, fixture) {
  BOOST_TEST(plan().number == 7u);
  BOOST_TEST(plan().order.empty());
  BOOST_TEST(plan().preempt.empty());
}

BOOST_FIXTURE_TEST_CASE(the_shortest_comes_first, fixture) {
  add(1, 300);
  add(2, 100);
  add(3, 200);
  BOOST_TEST(order() == (list{2, 3, 1}));
}

BOOST_FIXTURE_TEST_CASE(a_prompt_counts_by_its_speed, fixture) {
  add(1, 100).tokens_to_compute = 1500; // 0.55 s more than 150
  add(2, 125);                          // 0.5 s
  BOOST_TEST(order() == (list{2, 1}));
  view.entries[1].remaining = 140; // 0.8 s
  BOOST_TEST(order() == (list{1, 2}));
  // A measured speed changes it.
  for (auto i = 0; i < 20; ++i)
    cost.stepped({256, 256 * 128, 0, 0}, 256 * int64_t{10'000'000});
  BOOST_TEST(order() == (list{2, 1}));
}

BOOST_FIXTURE_TEST_CASE(what_is_swapped_has_nothing_to_prefill, fixture) {
  add(1, 100);
  add(2, 102).phase = swapped; // 40 ms more, 60 ms less
  BOOST_TEST(order() == (list{2, 1}));
}

BOOST_FIXTURE_TEST_CASE(nothing_predicted_is_the_longest, fixture) {
  add(1, 0);
  add(2, 9000);
  BOOST_TEST(order() == (list{2, 1}));
  view.entries[0].max_tokens = 100;
  BOOST_TEST(order() == (list{1, 2}));
}

BOOST_FIXTURE_TEST_CASE(a_class_comes_before_length, fixture) {
  add(1, 10).priority = 2;
  add(2, 9000).priority = 1;
  add(3, 20).priority = 2;
  BOOST_TEST(order() == (list{2, 1, 3}));
}

BOOST_FIXTURE_TEST_CASE(whoever_is_due_comes_first_by_arrival, fixture) {
  add(1, 10);
  add(2, 20).arrival_ns = view.now_ns - policy.patience_ns - 5;
  add(3, 30).arrival_ns = view.now_ns - policy.patience_ns - 9;
  view.entries[2].priority = 200;
  BOOST_TEST(order() == (list{3, 2, 1}));
  view.entries[2].arrival_ns = view.now_ns - policy.patience_ns; // not yet
  BOOST_TEST(order() == (list{2, 1, 3}));
}

// -- what fits ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(only_who_fits_comes_in, fixture) {
  view.free_blocks = 30; // each needs one more soon
  for (seq_id s = 1; s <= 4; ++s)
    add(s, 100);
  BOOST_TEST(order() == (list{1, 2}));
  view.free_blocks = 33;
  BOOST_TEST(order() == (list{1, 2, 3}));
  view.max_rows = 1;
  BOOST_TEST(order() == (list{1}));
}

BOOST_FIXTURE_TEST_CASE(alone_it_needs_no_more_than_to_start, fixture) {
  view.free_blocks = 10;
  add(1, 100);
  BOOST_TEST(order() == (list{1}));
  view.free_blocks = 9;
  BOOST_TEST(order().empty());
}

BOOST_FIXTURE_TEST_CASE(a_small_one_overtakes_only_who_is_not_due, fixture) {
  view.free_blocks = 20;
  auto& large = add(1, 10);
  large.blocks_to_start = 50;
  add(2, 100);
  BOOST_TEST(order() == (list{2}));
  view.entries[0].arrival_ns = 0;
  BOOST_TEST(order().empty());
}

BOOST_FIXTURE_TEST_CASE(prompts_wait_outside_while_others_are_computed,
                        fixture) {
  policy.prefill_backlog = 400;
  for (seq_id s = 1; s <= 5; ++s)
    add(s, 100);
  add(6, 200).phase = swapped; // has none
  BOOST_TEST(order() == (list{1, 2, 3, 6}));
  auto& r = add_running(7, 10);
  r.tokens_to_compute = 300;
  BOOST_TEST(order() == (list{1, 2, 3, 6}));
  view.entries.back().prefilling = true;
  BOOST_TEST(order() == (list{1, 6}));
  view.entries[4].arrival_ns = 0; // due
  BOOST_TEST(order() == (list{5, 6}));
}

BOOST_FIXTURE_TEST_CASE(whoever_moves_is_left_alone, fixture) {
  add_running(1, 1000, 90).phase = moving;
  add(2, 10);
  BOOST_TEST(order().empty());
  BOOST_TEST(victims().empty());
  // Its blocks come free: nobody else need go.
  view.entries[0].leaving = true;
  BOOST_TEST(order() == (list{2}));
  BOOST_TEST(victims().empty());
}

// -- preemption for another's gain --------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_long_one_gives_way_to_a_short_one, fixture) {
  add_running(1, 2000, 50);
  add_running(2, 1000, 50);
  add(3, 10);
  BOOST_TEST(victims() == (list{1}));
  BOOST_TEST(order() == (list{3}));
}

BOOST_FIXTURE_TEST_CASE(not_if_there_is_little_to_gain, fixture) {
  add_running(1, 2000, 80);
  auto& ends = add_running(2, 20, 20);
  add(3, 10); // 2 ends soon enough
  BOOST_TEST(victims().empty());
  ends.remaining = 500;
  BOOST_TEST(!victims().empty());
  view.entries[2].remaining = 490;
  BOOST_TEST(victims().empty());
  view.entries[2].remaining = 2500; // stands behind
  BOOST_TEST(victims().empty());
}

BOOST_FIXTURE_TEST_CASE(not_if_it_costs_more_than_that, fixture) {
  add_running(1, 200, 100);
  add(2, 10);
  BOOST_TEST(victims() == (list{1}));
  // No store, and 2 s to compute it again.
  view.store = false;
  view.entries[0].tokens_to_compute = 5000;
  BOOST_TEST(victims().empty());
  policy.min_gain = 0.5;
  BOOST_TEST(victims() == (list{1}));
}

BOOST_FIXTURE_TEST_CASE(not_soon_after_it_came_in_nor_too_often, fixture) {
  auto& r = add_running(1, 2000, 100);
  add(2, 10);
  r.resumed_ns = view.now_ns - second / 2;
  BOOST_TEST(victims().empty());
  view.entries[0].resumed_ns = view.now_ns - second;
  BOOST_TEST(victims() == (list{1}));
  view.entries[0].preemptions = policy.max_preemptions;
  BOOST_TEST(victims().empty());
  // Neither helps against one that is due.
  view.entries[0].resumed_ns = view.now_ns;
  view.entries[1].arrival_ns = 0;
  BOOST_TEST(victims() == (list{1}));
}

BOOST_FIXTURE_TEST_CASE(a_due_one_gives_way_to_an_earlier_alone, fixture) {
  auto due = [&](size_t i, int64_t before) {
    view.entries[i].arrival_ns = view.now_ns - policy.patience_ns - before;
  };
  add_running(1, 5000, 60);
  add_running(2, 5000, 40);
  add(3, 10);
  due(0, 5);
  BOOST_TEST(victims() == (list{2}));
  due(1, 5);
  BOOST_TEST(victims().empty());
  due(2, 4);
  BOOST_TEST(victims().empty());
  due(2, 6);
  BOOST_TEST(victims() == (list{2}));
  due(1, 7);
  BOOST_TEST(victims() == (list{1}));
}

BOOST_FIXTURE_TEST_CASE(a_class_displaces_those_below_whatever_the_gain,
                        fixture) {
  add_running(1, 20, 50).priority = 1;
  add_running(2, 2000, 50).priority = 0;
  add(3, 9000).priority = 0;
  BOOST_TEST(victims() == (list{1}));
  view.entries[2].priority = 1;
  BOOST_TEST(victims().empty());
}

BOOST_FIXTURE_TEST_CASE(no_more_give_way_than_must, fixture) {
  add_running(1, 3000, 20);
  add_running(2, 2000, 50);
  add_running(3, 1000, 30);
  add(4, 10).blocks_to_start = 60;
  BOOST_TEST(victims() == (list{1, 2}));
  view.entries[3].blocks_to_start = 40;
  BOOST_TEST(victims() == (list{2}));
}

BOOST_FIXTURE_TEST_CASE(a_row_is_freed_if_rows_are_short, fixture) {
  view.max_rows = 2;
  add_running(1, 300, 10);
  add_running(2, 3000, 10);
  add(3, 10);
  BOOST_TEST(victims() == (list{2}));
  BOOST_TEST(order() == (list{3}));
}

// -- how ----------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_cheaper_way_is_taken, fixture) {
  auto way = [&] { return plan().preempt.at(0).way; };
  auto& r = add_running(1, 2000, 100); // two copies: 105 ms
  add(2, 10);
  r.tokens_to_compute = 1600; // 800 ms
  BOOST_TEST((way() == preempt_way::swap));
  view.entries[0].tokens_to_compute = 200; // 100 ms
  BOOST_TEST((way() == preempt_way::recompute));
  view.entries[0].tokens_to_compute = 1600;
  view.store = false;
  BOOST_TEST((way() == preempt_way::recompute));
  view.store = true;
  for (auto i = 0; i < 20; ++i)
    cost.swapped(1 << 28, second * 10);
  BOOST_TEST((way() == preempt_way::recompute));
}

BOOST_FIXTURE_TEST_CASE(whoever_is_cheap_to_bring_back_goes, fixture) {
  add_running(1, 2000, 50).tokens_to_compute = 40; // 20 ms
  add_running(2, 2000, 50);                        // 52 ms
  add(3, 10);
  BOOST_TEST(victims() == (list{1}));
  view.entries[0].tokens_to_compute = 2000;
  view.entries[1].tokens_to_compute = 40;
  BOOST_TEST(victims() == (list{2}));
}

// -- want of blocks -----------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(room_is_made_before_there_is_none, fixture) {
  for (seq_id s = 1; s <= 5; ++s)
    add_running(s, 100 * static_cast<uint32_t>(s), 19).prompt = 300;
  view.free_blocks = 5; // each wants one within 8 steps
  BOOST_TEST(victims().empty());
  view.free_blocks = 4;
  BOOST_TEST(victims() == (list{5}));
  // It is on its way: that is enough.
  view.entries[4].phase = moving;
  view.entries[4].leaving = true;
  BOOST_TEST(victims().empty());
}

BOOST_FIXTURE_TEST_CASE(the_first_to_run_is_never_put_out, fixture) {
  view.capacity = 40;
  view.free_blocks = 20;
  add_running(1, 1000, 10).prompt = 160;
  add_running(2, 10, 10).prompt = 160;
  view.free_blocks = 0;
  BOOST_TEST(victims() == (list{1}));
  view.entries[0].arrival_ns = 0; // due
  BOOST_TEST(victims() == (list{2}));
  view.entries[1].arrival_ns = -1;
  BOOST_TEST(victims() == (list{1}));
  view.entries.pop_back();
  BOOST_TEST(victims().empty());
}

BOOST_FIXTURE_TEST_CASE(those_put_out_often_go_if_there_is_nobody_else,
                        fixture) {
  for (seq_id s = 1; s <= 3; ++s) {
    auto& e = add_running(s, 10 + static_cast<uint32_t>(s), 10);
    e.prompt = 160;
    e.preemptions = s == 1 ? 0 : policy.max_preemptions;
  }
  view.free_blocks = 2;
  BOOST_TEST(victims() == (list{3}));
  view.entries[1].preemptions = 0;
  BOOST_TEST(victims() == (list{2}));
}

// -- any view -----------------------------------------------------------------

namespace {

struct draws {
  uint64_t seed;
  uint64_t n = 0;
  uint32_t operator()(uint64_t below) {
    return static_cast<uint32_t>(random_bits(seed, n++) % below);
  }
};

schedule_view any_view(draws& draw, bool hostile) {
  auto v = schedule_view{};
  v.now_ns = 1000 * second;
  v.capacity = 20 + draw(400);
  v.max_rows = draw(40);
  v.block_bytes = 1 + draw(1 << 24);
  v.store = draw(4) > 0;
  auto held = 0u;
  for (auto n = draw(60), i = 0u; i < n; ++i) {
    auto e = schedule_entry{};
    e.seq = i + 1;
    e.phase = static_cast<schedule_phase>(draw(4));
    e.priority = static_cast<uint8_t>(draw(3));
    e.arrival_ns = v.now_ns - int64_t{draw(90)} * second;
    e.prompt = 1 + draw(600);
    e.generated = draw(300);
    e.max_tokens = draw(600);
    e.remaining = draw(3) == 0 ? 0 : 1 + draw(500);
    e.preemptions = draw(6);
    e.resumed_ns = v.now_ns - int64_t{draw(8)} * second;
    e.tokens_to_compute = e.prompt + e.generated;
    e.prefilling = e.phase == running && draw(4) == 0;
    auto blocks = (e.prompt + e.generated + 15) / 16;
    if (e.phase == waiting || e.phase == swapped)
      e.blocks_to_start = blocks;
    else if (held + blocks <= v.capacity)
      held += e.blocks = blocks;
    else
      continue;
    e.leaving = e.phase == moving && draw(2) == 0;
    if (hostile) {
      auto any = [&] {
        return static_cast<uint32_t>(random_bits(draw.seed, draw.n++));
      };
      e.prompt = any();
      e.generated = any();
      e.max_tokens = any();
      e.remaining = any();
      e.blocks = any();
      e.blocks_to_start = any();
      e.tokens_to_compute = any();
      e.arrival_ns = static_cast<int64_t>(random_bits(draw.seed, draw.n++));
      e.resumed_ns = static_cast<int64_t>(random_bits(draw.seed, draw.n++));
    }
    v.entries.push_back(e);
  }
  v.free_blocks = v.capacity - held;
  return v;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_plan_can_be_done_and_respects_who_is_due) {
  auto plans_with_victims = 0;
  auto plans_with_due_victims = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    auto draw = draws{seed};
    auto v = any_view(draw, false);
    auto policy = schedule_policy{};
    auto p = plan_schedule(v, policy, {});
    auto by_seq = std::map<seq_id, const schedule_entry*>{};
    auto room = int64_t{v.free_blocks};
    auto rows = int64_t{v.max_rows};
    for (auto& e : v.entries) {
      by_seq[e.seq] = &e;
      if (e.leaving)
        room += e.blocks;
      else if (e.phase == running || e.phase == moving)
        --rows;
    }
    auto due = [&](const schedule_entry& e) {
      return v.now_ns - e.arrival_ns > policy.patience_ns;
    };
    auto named = std::set<seq_id>{};
    auto first_due = std::numeric_limits<int64_t>::max();
    for (auto seq : p.order)
      if (due(*by_seq.at(seq)))
        first_due = std::min(first_due, by_seq.at(seq)->arrival_ns);
    auto oldest_due = std::numeric_limits<int64_t>::max();
    for (auto& e : v.entries)
      if (due(e) && e.phase == running)
        oldest_due = std::min(oldest_due, e.arrival_ns);
    for (auto& x : p.preempt) {
      auto& e = *by_seq.at(x.seq);
      BOOST_REQUIRE(e.phase == running);
      BOOST_REQUIRE(named.insert(x.seq).second);
      BOOST_REQUIRE(x.way == preempt_way::recompute || v.store);
      room += e.blocks;
      ++rows;
      ++plans_with_victims;
      if (due(e)) {
        ++plans_with_due_victims;
        BOOST_REQUIRE(e.arrival_ns >= std::min(first_due, oldest_due));
      }
    }
    auto was_due = true;
    for (auto seq : p.order) {
      auto& e = *by_seq.at(seq);
      BOOST_REQUIRE(e.phase == waiting || e.phase == swapped);
      BOOST_REQUIRE(named.insert(seq).second);
      room -= e.blocks_to_start;
      --rows;
      BOOST_REQUIRE_GE(room, 0);
      BOOST_REQUIRE_GE(rows, 0);
      // Due ones stand before all others.
      BOOST_REQUIRE(was_due || !due(e));
      was_due = due(e);
    }
    // A function of its arguments.
    std::reverse(v.entries.begin(), v.entries.end());
    auto again = plan_schedule(v, policy, {});
    BOOST_REQUIRE(again.order == p.order);
    BOOST_REQUIRE_EQUAL(again.preempt.size(), p.preempt.size());
  }
  BOOST_TEST(plans_with_victims > 500);
  BOOST_TEST(plans_with_due_victims > 20);
}

BOOST_AUTO_TEST_CASE(nonsense_does_no_harm) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    auto draw = draws{seed};
    auto v = any_view(draw, true);
    auto policy = schedule_policy{};
    policy.block_tokens = draw(3);
    policy.horizon = draw(2) * std::numeric_limits<uint32_t>::max();
    policy.patience_ns = static_cast<int64_t>(random_bits(seed, draw.n));
    v.now_ns = static_cast<int64_t>(random_bits(seed, draw.n + 1));
    auto p = plan_schedule(v, policy, {});
    BOOST_REQUIRE_LE(p.order.size() + p.preempt.size(), v.entries.size());
  }
}

BOOST_AUTO_TEST_SUITE_END()
