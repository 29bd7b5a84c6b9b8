#include "core/serving/output_pace.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto start = time_point{1h};

} // namespace

BOOST_AUTO_TEST_SUITE(output_pace_suite)

BOOST_AUTO_TEST_CASE(tokens_of_quick_steps_leave_together) {
  auto p = output_pace{2ms};
  BOOST_TEST(p.keeps_any());
  // The oldest would be 2 ms old after the fifth step, not after the sixth.
  for (auto i = 0; i < 4; ++i)
    BOOST_TEST(p.may_keep(start + i * 500us, 500us));
  BOOST_TEST(!p.may_keep(start + 4 * 500us, 500us));
  p.sent();
  BOOST_TEST(p.may_keep(start + 5 * 500us, 500us));
}

BOOST_AUTO_TEST_CASE(those_of_slow_steps_do_not_wait) {
  auto p = output_pace{2ms};
  for (auto i = 0; i < 3; ++i) {
    BOOST_TEST(!p.may_keep(start + i * 3ms, 3ms));
    p.sent();
  }
}

BOOST_AUTO_TEST_CASE(a_step_that_gets_slower_ends_the_wait) {
  auto p = output_pace{2ms};
  BOOST_TEST(p.may_keep(start, 100us));
  BOOST_TEST(!p.may_keep(start + 1900us, 1900us));
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_unless_asked_for) {
  BOOST_TEST(!output_pace{}.keeps_any());
  BOOST_TEST(!output_pace{}.may_keep(start, 1ns));
}

BOOST_AUTO_TEST_SUITE_END()
