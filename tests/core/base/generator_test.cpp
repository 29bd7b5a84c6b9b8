#include "core/base/generator.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <ranges>
#include <string>
#include <vector>

using namespace troupe;

namespace {

generator<int> up_to(int n) {
  for (auto i = 0; i < n; ++i)
    co_yield i;
}

/// Counts how many of it live.
struct counted {
  explicit counted(int& n) : alive(&n) { ++*alive; }
  counted(const counted&) = delete;
  ~counted() { --*alive; }
  int* alive;
};

generator<std::string> words(int& alive) {
  auto here = counted{alive};
  auto kept = std::string{"kept"};
  co_yield kept;
  co_yield kept + "!";
  co_yield kept;
}

generator<std::unique_ptr<int>> owned() {
  co_yield std::make_unique<int>(1);
  co_yield std::make_unique<int>(2);
}

} // namespace

static_assert(std::ranges::input_range<generator<int>>);
static_assert(!std::ranges::forward_range<generator<int>>);
static_assert(!std::is_copy_constructible_v<generator<int>>);
static_assert(std::is_nothrow_move_constructible_v<generator<int>>);

BOOST_AUTO_TEST_SUITE(generators)

BOOST_AUTO_TEST_CASE(values_come_in_order_and_end) {
  auto all = std::vector<int>{};
  for (auto i : up_to(4))
    all.push_back(i);
  BOOST_TEST((all == std::vector{0, 1, 2, 3}));
  for (auto i : up_to(0))
    BOOST_ERROR("there is none, but " << i);
}

BOOST_AUTO_TEST_CASE(it_is_a_range) {
  auto all = std::vector<int>{};
  std::ranges::copy(up_to(5) | std::views::filter([](int i) { return i > 2; }),
                    std::back_inserter(all));
  BOOST_TEST((all == std::vector{3, 4}));
}

BOOST_AUTO_TEST_CASE(nothing_runs_before_the_first_is_wanted) {
  auto alive = 0;
  auto g = words(alive);
  BOOST_TEST(alive == 0);
  auto i = g.begin();
  BOOST_TEST(alive == 1);
  BOOST_TEST(*i == "kept");
  BOOST_TEST(i->size() == 4u);
}

BOOST_AUTO_TEST_CASE(leaving_the_loop_ends_the_coroutine) {
  auto alive = 0;
  for (auto& w : words(alive)) {
    BOOST_TEST(alive == 1);
    if (w.ends_with("!"))
      break;
  }
  BOOST_TEST(alive == 0);
}

BOOST_AUTO_TEST_CASE(what_is_moved_from_is_left_alone) {
  auto alive = 0;
  auto g = words(alive);
  g.begin();
  auto h = std::move(g);
  BOOST_TEST(alive == 1);
  h = words(alive);
  BOOST_TEST(alive == 0);
  auto n = 0;
  for ([[maybe_unused]] auto& w : h)
    ++n;
  BOOST_TEST(n == 3);
}

BOOST_AUTO_TEST_CASE(values_that_move_can_be_taken) {
  auto all = std::vector<std::unique_ptr<int>>{};
  for (auto& p : owned())
    all.push_back(std::move(p));
  BOOST_REQUIRE(all.size() == 2u);
  BOOST_TEST(*all[0] + *all[1] == 3);
}

BOOST_AUTO_TEST_SUITE_END()
