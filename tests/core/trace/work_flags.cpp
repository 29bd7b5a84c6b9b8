#include "core/trace/work_flags.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(trace_work_flags)

BOOST_AUTO_TEST_CASE(one_thread_at_work_is_enough) {
  auto flags = work_flags{};
  BOOST_TEST(flags.none());
  auto a = flags.add();
  auto b = flags.add();
  BOOST_TEST(flags.none());
  *b = true;
  BOOST_TEST(!flags.none());
  *a = true;
  *b = false;
  BOOST_TEST(!flags.none());
  *a = false;
  BOOST_TEST(flags.none());
}

// Threads come and go for as long as a process lives.
BOOST_AUTO_TEST_CASE(flags_of_threads_that_ended_are_dropped) {
  auto flags = work_flags{};
  auto kept = flags.add();
  for (auto i = 0; i < 100; ++i)
    flags.add();
  BOOST_TEST(flags.size() == 2u);
  *kept = true;
  BOOST_TEST(!flags.none());
}

BOOST_AUTO_TEST_SUITE_END()
