#include "core/serving/request_place.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto start = time_point{1h};
using nodes = std::vector<node_id>;

// Placed once, on a prefill node 1 and, if `split`, a decode node 2.
request_place placed(bool split) {
  auto p = request_place{{4, 8ms, 100ms}};
  BOOST_TEST(p.ask(next_placement(0)));
  p.placed(1, 2, split);
  return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(request_place_suite)

BOOST_AUTO_TEST_CASE(it_is_placed_so_often_and_waits_longer_each_time) {
  auto p = request_place{{3, 8ms, 0ms}};
  auto waits = std::vector<int64_t>{};
  while (p.ask(next_placement(0)))
    waits.push_back(p.backoff().count());
  BOOST_TEST(p.placements() == 3u);
  BOOST_TEST((waits == std::vector<int64_t>{8, 16, 32}));
}

BOOST_AUTO_TEST_CASE(that_there_is_no_node_is_no_placement) {
  auto p = request_place{{1, 8ms, 100ms}};
  for (auto after : {0ms, 40ms, 99ms}) {
    BOOST_TEST(p.ask(next_placement(0)));
    BOOST_TEST(p.wait(start + after));
  }
  BOOST_TEST(p.ask(next_placement(0)));
  BOOST_TEST(!p.wait(start + 100ms));
}

BOOST_AUTO_TEST_CASE(its_patience_begins_anew_once_it_was_on_a_node) {
  auto p = request_place{{9, 8ms, 100ms}};
  p.ask(next_placement(0));
  p.wait(start);
  p.ask(next_placement(0));
  p.placed(1, 0, false);
  p.ask(next_placement(0));
  BOOST_TEST(p.wait(start + 150ms));
}

BOOST_AUTO_TEST_CASE(without_its_node_it_goes_elsewhere) {
  auto p = placed(false);
  BOOST_TEST(p.held_by() == 1u);
  p.heard();
  auto why = p.lost(place_part::prefill, false);
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST((why->code == errc::abandoned));
  BOOST_TEST(p.last_error().message == why->message);
  BOOST_TEST((p.avoided() == nodes{1}));
}

BOOST_AUTO_TEST_CASE(it_needs_the_prefill_node_until_the_other_one_generates) {
  BOOST_TEST(placed(true).held_by() == 2u);
  {
    auto p = placed(true);
    BOOST_TEST(p.lost(place_part::prefill, false).has_value());
  }
  {
    auto p = placed(true);
    p.heard();
    BOOST_TEST(!p.lost(place_part::prefill, false).has_value());
    BOOST_TEST((p.avoided() == nodes{1})); // all the same
  }
  { // its first token was on the way from there
    auto p = placed(true);
    p.heard();
    BOOST_TEST(p.lost(place_part::prefill, true).has_value());
  }
  {
    auto p = placed(true);
    p.heard();
    BOOST_TEST(p.lost(place_part::decode, false).has_value());
    BOOST_TEST((p.avoided() == nodes{2}));
  }
}

BOOST_AUTO_TEST_CASE(what_was_heard_counts_for_its_placement_alone) {
  auto p = placed(true);
  p.heard();
  BOOST_TEST(p.ask(next_placement(next_placement(0))));
  p.placed(3, 4, true);
  BOOST_TEST(!p.decoding());
  BOOST_TEST(p.lost(place_part::prefill, false).has_value());
}

BOOST_AUTO_TEST_CASE(once_it_has_moved_only_the_new_node_counts) {
  auto p = placed(true);
  auto e = next_placement(0);
  BOOST_TEST(p.moved(5, next_move(next_move(e))));
  BOOST_TEST(p.held_by() == 5u);
  // Of the move before that.
  BOOST_TEST(!p.moved(6, next_move(e)));
  BOOST_TEST(p.held_by() == 5u);
  BOOST_TEST(!p.lost(place_part::prefill, false).has_value());
  BOOST_TEST(!p.lost(place_part::decode, false).has_value());
  BOOST_TEST(p.avoided().empty());
  BOOST_TEST(p.lost(place_part::holder, false).has_value());
  BOOST_TEST((p.avoided() == nodes{5}));
}

BOOST_AUTO_TEST_CASE(what_a_node_fails_for_may_pass_or_not) {
  auto p = placed(true);
  BOOST_TEST(p.failed({errc::no_free_blocks, "full"}));
  BOOST_TEST((p.avoided() == nodes{1, 2}));
  BOOST_TEST(p.last_error().message == "full");
  BOOST_TEST(placed(true).failed({})); // it did not say why
  auto q = placed(true);
  BOOST_TEST(!q.failed({errc::invalid_argument, "nonsense"}));
  BOOST_TEST(q.avoided().empty());
  BOOST_TEST(q.last_error().message == "nonsense");
}

BOOST_AUTO_TEST_SUITE_END()
