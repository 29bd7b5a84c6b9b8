#include "core/serving/schedule_view.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(serving_schedule_view)

// A node that is never short of memory is not looked at, and goes on for ever.
BOOST_AUTO_TEST_CASE(the_last_that_finished_are_told) {
  auto v = schedule_view{};
  for (uint32_t i = 0; i < 1000; ++i)
    v.add_finished({i, 1});
  BOOST_REQUIRE(v.finished.size() == schedule_view::max_finished);
  BOOST_TEST(v.finished.front().prompt == 1000 - schedule_view::max_finished);
  BOOST_TEST(v.finished.back().prompt == 999u);
}

BOOST_AUTO_TEST_SUITE_END()
