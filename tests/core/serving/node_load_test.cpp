#include "core/serving/node_load.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace troupe;

namespace {

// 10 ms a step, 1 ms a token of a prompt, 2 ms a row, nothing for contexts.
node_load even() {
  auto l = node_load{};
  l.blocks = l.free_blocks = 100;
  l.cost = {1e7, 1e6, 0, 2e6, 0};
  return l;
}

} // namespace

BOOST_AUTO_TEST_SUITE(node_load_suite)

BOOST_AUTO_TEST_CASE(an_idle_node_takes_as_long_as_its_steps) {
  auto e = load_estimate{};
  e.told(even());
  BOOST_TEST(e.prefill_ns({50, 10}, 0) == 50e6);
  BOOST_TEST(e.decode_ns({50, 10}) == 10 * 12e6);
}

// The prompts before it; the rows that its own delays.
BOOST_AUTO_TEST_CASE(prompts_wait_for_each_other) {
  auto e = load_estimate{};
  auto l = even();
  l.prompt_tokens = 30;
  e.told(l);
  BOOST_TEST(e.prefill_ns({50, 10}, 0) == 80e6);
  e.placed({20, 10});
  BOOST_TEST(e.prefill_ns({50, 10}, 0) == 100e6);
  BOOST_TEST(e.prefill_ns({50, 10}, 3) == 250e6);
  // The next report has it.
  e.told(l);
  BOOST_TEST(e.prefill_ns({50, 10}, 0) == 80e6);
}

BOOST_AUTO_TEST_CASE(a_row_takes_time_of_its_own_and_of_others) {
  auto e = load_estimate{};
  e.told(even());
  e.placed({1, 1});
  e.placed({1, 1});
  // 10 + 2 others of 2 + 2 of its own, and it slows both by 2.
  BOOST_TEST(e.decode_ns({1, 10}) == 10 * (10e6 + 4e6 + 2e6 + 4e6));
  e.released();
  BOOST_TEST(e.requests() == 1u);
  e.released();
  e.released();
  BOOST_TEST(e.requests() == 0u);
  BOOST_TEST(e.decode_ns({1, 10}) == 10 * 12e6);
}

BOOST_AUTO_TEST_CASE(contexts_count_where_they_cost) {
  auto e = load_estimate{};
  auto l = even();
  l.cost.decode_context = 1e3;
  l.cost.prefill_context = 1e3;
  l.rows = 2;
  l.decode_context = 2000;
  e.told(l);
  e.placed({1, 1});
  // One row that attends to 1000, as those do that it told of.
  auto own = 2e6 + 1e3 * (100 + 5);
  BOOST_TEST(e.decode_ns({100, 10}) == 10 * (10e6 + (2e6 + 1e6) + own + own));
  e.told(l);
  BOOST_TEST(e.prefill_ns({100, 1}, 0) == 100e6 + 5050e3);
}

BOOST_AUTO_TEST_CASE(no_answer_is_counted_on_to_be_longer_than_foreseen) {
  auto e = load_estimate{};
  e.told(even());
  BOOST_TEST(e.decode_ns({1, 0}) == e.decode_ns({1, load_estimate::foreseen}));
  BOOST_TEST(e.decode_ns({1, 5000}) == e.decode_ns({1, 0}));
}

BOOST_AUTO_TEST_CASE(room_is_what_is_free_and_not_given_away_since) {
  auto e = load_estimate{};
  BOOST_TEST(e.has_room({1'000'000, 1})); // nothing known
  auto l = even();
  l.free_blocks = 10;
  e.told(l);
  BOOST_TEST(e.has_room({150, 1}));
  BOOST_TEST(!e.has_room({160, 1}));
  e.placed({60, 1});
  BOOST_TEST(e.has_room({90, 1}));
  BOOST_TEST(!e.has_room({100, 1}));
  e.told(l);
  BOOST_TEST(e.has_room({150, 1}));
}

BOOST_AUTO_TEST_CASE(what_was_placed_and_has_gone_does_not_count) {
  auto e = load_estimate{};
  auto l = even();
  l.free_blocks = 10;
  e.told(l);
  e.placed({100, 1});
  e.placed({100, 1});
  BOOST_TEST(!e.has_room({10, 1}));
  e.released();
  e.released();
  BOOST_TEST(e.has_room({150, 1}));
  BOOST_TEST(e.prefill_ns({50, 10}, 0) == 50e6);
}

BOOST_AUTO_TEST_CASE(nonsense_draws_no_requests) {
  auto e = load_estimate{};
  e.told(even());
  auto before = e.decode_ns({50, 10});
  auto nan = std::numeric_limits<double>::quiet_NaN();
  for (auto bad : {step_cost{-1, 1, 1, 1, 1}, step_cost{1, nan, 1, 1, 1},
                   step_cost{1, 1, 1, 1e300, 1}, step_cost{0, 0, 0, 0, 0}}) {
    auto l = even();
    l.cost = bad;
    e.told(l);
    BOOST_TEST(e.decode_ns({50, 10}) == before);
  }
}

// A node of half the speed gets half the work.
BOOST_AUTO_TEST_CASE(work_goes_where_it_is_done_sooner) {
  auto fast = load_estimate{};
  auto slow = load_estimate{};
  auto l = even();
  fast.told(l);
  l.cost = {2e7, 2e6, 0, 4e6, 0};
  slow.told(l);
  auto cost = [](auto& e) {
    return e.prefill_ns({10, 100}, e.requests()) + e.decode_ns({10, 100});
  };
  for (auto i = 0; i < 300; ++i)
    (cost(fast) <= cost(slow) ? fast : slow).placed({10, 100});
  BOOST_TEST(fast.requests() > 1.5 * slow.requests());
  BOOST_TEST(fast.requests() < 3 * slow.requests());
}

BOOST_AUTO_TEST_SUITE_END()
