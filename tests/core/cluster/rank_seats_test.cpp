#include "core/cluster/rank_seats.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(cluster_rank_seats)

BOOST_AUTO_TEST_CASE(seats_are_taken_from_the_lowest_and_given_back) {
  auto s = rank_seats{3, 2s};
  auto t = time_point{10s};
  BOOST_TEST(!s.full());
  BOOST_TEST(*s.take(t) == 1u);
  BOOST_TEST(*s.take(t) == 2u);
  BOOST_TEST(s.full());
  auto no = s.take(t);
  BOOST_REQUIRE(!no);
  BOOST_TEST((no.failure().code == errc::overloaded));
  BOOST_TEST(s.leave(1));
  BOOST_TEST(!s.leave(1));
  BOOST_TEST(!s.leave(0));
  BOOST_TEST(!s.leave(7));
  BOOST_TEST(!s.full());
  BOOST_TEST(*s.take(t) == 1u);
  BOOST_TEST(s.full());
}

BOOST_AUTO_TEST_CASE(who_is_silent_loses_the_seat_once) {
  auto s = rank_seats{3, 2s};
  auto t = time_point{10s};
  BOOST_REQUIRE(s.take(t));
  BOOST_REQUIRE(s.take(t));
  s.hear(2, t + 1500ms);
  s.hear(0, t);
  s.hear(9, t);
  BOOST_TEST(s.expire(t + 2s).empty());
  BOOST_TEST(s.expire(t + 2001ms) == std::vector<uint32_t>{1},
             boost::test_tools::per_element());
  BOOST_TEST(s.expire(t + 3s).empty());
  // What it says now is of no use.
  s.hear(1, t + 3s);
  BOOST_TEST(!s.is_taken(1));
  BOOST_TEST(s.is_taken(2));
  // Time that goes back takes nothing away.
  s.hear(2, t);
  BOOST_TEST(s.expire(t + 3500ms).empty());
}

BOOST_AUTO_TEST_CASE(one_rank_needs_nobody) {
  auto s = rank_seats{1, 2s};
  BOOST_TEST(s.full());
  BOOST_TEST(!s.take(time_point{}));
}

BOOST_AUTO_TEST_SUITE_END()
