#include "core/serving/recent_map.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(recent_map_suite)

BOOST_AUTO_TEST_CASE(hints_take_no_more_memory_than_given) {
  auto map = recent_map<int>{8};
  for (auto k = uint64_t{1}; k <= 1000; ++k)
    map.at(k) = static_cast<int>(k);
  auto there = 0;
  for (auto k = uint64_t{1}; k <= 1000; ++k)
    if (auto* v = map.find(k)) {
      BOOST_TEST(*v == static_cast<int>(k));
      ++there;
    }
  BOOST_TEST(there == 8);
  auto one = recent_map<int>{4};
  for (auto k = uint64_t{1}; k <= 20; ++k) {
    one.at(k) = 1;
    one.find(1); // is used, and so stays
  }
  BOOST_TEST(one.find(1) != nullptr);
  BOOST_TEST(one.find(2) == nullptr);
  BOOST_TEST(one.find(20) != nullptr);
  BOOST_TEST(recent_map<int>{0}.find(1) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
