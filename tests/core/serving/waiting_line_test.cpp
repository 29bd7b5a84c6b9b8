#include "core/serving/waiting_line.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

using seqs = std::vector<seq_id>;

waiting_line line_of(const seqs& all) {
  auto line = waiting_line{};
  for (auto seq : all)
    line.push(seq);
  return line;
}

seqs order(const waiting_line& line) {
  return {line.begin(), line.end()};
}

} // namespace

BOOST_AUTO_TEST_SUITE(waiting_line_suite)

BOOST_AUTO_TEST_CASE(whoever_comes_first_is_first) {
  auto line = line_of({5, 3, 4});
  BOOST_TEST((order(line) == seqs{5, 3, 4}));
  BOOST_TEST(line.front() == 5u);
  BOOST_TEST(line.planned() == 0u);
  line.erase(5);
  line.erase(9);
  BOOST_TEST((order(line) == seqs{3, 4}));
}

BOOST_AUTO_TEST_CASE(a_plan_names_who_comes_in_and_in_which_order) {
  auto line = line_of({1, 2, 3, 4, 5});
  line.plan({4, 9, 2, 4});
  BOOST_TEST((order(line) == seqs{4, 2, 1, 3, 5}));
  BOOST_TEST(line.planned() == 2u);
  // The next one knows better.
  line.plan({5});
  BOOST_TEST((order(line) == seqs{5, 4, 2, 1, 3}));
  BOOST_TEST(line.planned() == 1u);
  line.plan({});
  BOOST_TEST(line.planned() == 0u);
  BOOST_TEST(line.size() == 5u);
}

BOOST_AUTO_TEST_CASE(
    who_leaves_takes_a_planned_place_along_only_if_it_had_one) {
  auto line = line_of({1, 2, 3});
  line.plan({3, 1});
  line.erase(2);
  BOOST_TEST(line.planned() == 2u);
  line.erase(3);
  BOOST_TEST(line.planned() == 1u);
  BOOST_TEST((order(line) == seqs{1}));
  line.push(7);
  line.let_in();
  BOOST_TEST(line.planned() == 2u);
  line.clear();
  BOOST_TEST(line.empty());
  BOOST_TEST(line.planned() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
