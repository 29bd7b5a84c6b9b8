#include "core/serving/step_plan.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

std::vector<uint32_t> chunks(step_plan plan, std::vector<uint32_t> prompts) {
  auto all = std::vector<uint32_t>{};
  for (auto left : prompts)
    if (plan.has_room())
      all.push_back(plan.add_prompt(left));
  return all;
}

using list = std::vector<uint32_t>;
constexpr auto limits = step_limits{8, 64, 48, 16};

} // namespace

BOOST_AUTO_TEST_SUITE(step_plan_suite)

BOOST_AUTO_TEST_CASE(all_rows_decode_up_to_the_limit) {
  for (uint32_t n : {0, 1, 7, 8})
    BOOST_TEST(step_plan(limits, n).rows() == n);
  BOOST_TEST(step_plan(limits, 9).rows() == 8u);
}

BOOST_AUTO_TEST_CASE(a_prompt_alone_gets_the_whole_budget) {
  BOOST_TEST((chunks({limits, 0}, {100}) == list{64}));
  BOOST_TEST((chunks({limits, 0}, {64}) == list{64}));
  BOOST_TEST((chunks({limits, 0}, {5}) == list{5}));
}

BOOST_AUTO_TEST_CASE(beside_rows_it_gets_what_they_leave) {
  BOOST_TEST((chunks({limits, 1}, {100}) == list{32})); // 47, in whole granules
  BOOST_TEST((chunks({limits, 1}, {20}) == list{20}));
}

BOOST_AUTO_TEST_CASE(rows_never_starve_a_prompt) {
  auto tight = step_limits{8, 8, 4, 16};
  BOOST_TEST((chunks({tight, 8}, {100}) == list{16}));
  BOOST_TEST((chunks({tight, 0}, {100}) == list{16}));
  BOOST_TEST((chunks({{0, 0, 0, 0}, 3}, {100}) == list{1}));
  BOOST_TEST(step_plan({0, 0, 0, 0}, 3).rows() == 1u);
}

BOOST_AUTO_TEST_CASE(the_oldest_comes_first_others_fill_the_step) {
  BOOST_TEST((chunks({limits, 0}, {100, 3}) == list{64}));
  BOOST_TEST((chunks({limits, 0}, {32, 100}) == list{32, 32}));
  BOOST_TEST((chunks({limits, 0}, {20, 3, 100}) == list{20, 3, 16}));
  BOOST_TEST((chunks({limits, 0}, {60, 3}) == list{60}));
}

// Whatever the load: the budget holds, a chunk is the rest of its prompt or
// ends where a granule does, and only the last one added is cut.
BOOST_AUTO_TEST_CASE(every_plan_keeps_to_its_limits) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    auto draw = [&](uint64_t i, uint64_t below) {
      return static_cast<uint32_t>(random_bits(seed, i) % below);
    };
    auto l = step_limits{draw(0, 70), draw(1, 300), draw(2, 300), draw(3, 20)};
    auto decoding = draw(4, 100);
    auto plan = step_plan{l, decoding};
    auto granule = std::max(l.granularity, 1u);
    auto total = plan.rows();
    BOOST_REQUIRE_EQUAL(plan.rows(), std::min(decoding, std::max(l.rows, 1u)));
    BOOST_REQUIRE(plan.has_room());
    auto cut = false;
    for (uint64_t i = 5; plan.has_room(); ++i) {
      BOOST_REQUIRE(!cut);
      auto left = 1 + draw(i, 100);
      auto n = plan.add_prompt(left);
      BOOST_REQUIRE(n > 0 && n <= left);
      BOOST_REQUIRE(n == left || n % granule == 0);
      cut = n < left;
      total += n;
    }
    BOOST_REQUIRE_LE(total, l.most_tokens());
    auto budget = decoding > 0 ? l.tokens_beside_rows : l.tokens;
    BOOST_REQUIRE_LE(total, std::max(budget, plan.rows() + granule));
  }
}

BOOST_AUTO_TEST_SUITE_END()
