#include <boost/test/unit_test.hpp>

#include <string>

#include "core/observe/traceparent.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(traceparent)

BOOST_AUTO_TEST_CASE(a_trace_and_its_span_are_read) {
  auto o = parse_traceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  BOOST_REQUIRE(o);
  BOOST_TEST(o->trace.high == 0x4bf92f3577b34da6u);
  BOOST_TEST(o->trace.low == 0xa3ce929d0e0e4736u);
  BOOST_TEST(o->parent == 0x00f067aa0ba902b7u);
}

BOOST_AUTO_TEST_CASE(later_versions_may_say_more) {
  auto known =
      std::string{"-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
  BOOST_TEST(parse_traceparent("cc" + known).has_value());
  BOOST_TEST(parse_traceparent("cc" + known + "-what").has_value());
  BOOST_TEST(!parse_traceparent("cc" + known + ".what").has_value());
  BOOST_TEST(!parse_traceparent("00" + known + "-what").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_malformed_is_nothing) {
  for (auto* bad :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    BOOST_TEST(!parse_traceparent(bad).has_value(), bad);
}

BOOST_AUTO_TEST_SUITE_END()
