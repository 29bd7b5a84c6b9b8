#include "core/serving/length_predictor.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

using list = std::vector<uint32_t>;

// The same from the list itself.
double mean_remaining(const list& lengths, uint32_t generated, uint32_t most) {
  auto sum = 0.;
  auto n = 0.;
  for (auto x : lengths)
    if (x > generated) {
      sum += std::min(x, most) - generated;
      ++n;
    }
  return n > 0 ? sum / n : 0;
}

uint32_t length_of(uint64_t i, uint32_t mean) {
  return 1 + static_cast<uint32_t>(-std::log(1 - random_unit(3, i)) * mean);
}

} // namespace

BOOST_AUTO_TEST_SUITE(length_predictor_suite)

BOOST_AUTO_TEST_CASE(without_data_it_is_half_of_what_is_left) {
  auto p = length_predictor{};
  BOOST_TEST(p.remaining(10, 0, 100) == 51u);
  BOOST_TEST(p.remaining(10, 80, 100) == 11u);
  BOOST_TEST(p.remaining(10, 99, 100) == 1u);
  BOOST_TEST(p.remaining(10, 100, 100) == 1u);
  BOOST_TEST(p.remaining(10, 200, 100) == 1u);
  BOOST_TEST(p.remaining(10, 0, 0) == 1u);
}

BOOST_AUTO_TEST_CASE(it_is_the_mean_of_those_that_were_longer) {
  auto p = length_predictor{1'000'000};
  auto lengths = list{};
  for (uint64_t i = 0; i < 5000; ++i) {
    lengths.push_back(length_of(i, 300));
    p.finished(100, lengths.back());
  }
  for (uint32_t most : {200, 1000, 100000})
    for (uint32_t generated : {0, 1, 15, 16, 100, 150, 199, 600})
      if (generated < most) {
        auto expected = mean_remaining(lengths, generated, most);
        BOOST_TEST(std::abs(p.remaining(100, generated, most) - expected)
                   < 1 + 0.04 * expected);
      }
}

BOOST_AUTO_TEST_CASE(one_length_is_known_at_once) {
  auto p = length_predictor{};
  for (auto i = 0; i < 200; ++i)
    p.finished(50, 12);
  BOOST_TEST(p.remaining(50, 0, 50) == 12u);
  BOOST_TEST(p.remaining(50, 11, 50) == 1u);
  BOOST_TEST(p.remaining(50, 0, 5) == 5u);
  // Nobody was that long: half of what is left again.
  BOOST_TEST(p.remaining(50, 30, 50) == 11u);
}

BOOST_AUTO_TEST_CASE(prompts_of_a_kind_count_most_others_where_they_are_few) {
  auto p = length_predictor{};
  for (auto i = 0; i < 400; ++i) {
    p.finished(20, 400);
    p.finished(3000, 10);
  }
  BOOST_TEST(std::abs(p.remaining(25, 0, 1000) - 400.) < 10);
  BOOST_TEST(std::abs(p.remaining(2100, 0, 1000) - 10.) < 10);
  auto unseen = p.remaining(300, 0, 1000);
  BOOST_TEST(unseen > 180u);
  BOOST_TEST(unseen < 230u);
  p.finished(300, 900);
  auto seen_once = p.remaining(300, 0, 1000);
  BOOST_TEST(seen_once > unseen);
  BOOST_TEST(seen_once < 500u);
}

BOOST_AUTO_TEST_CASE(the_past_is_forgotten) {
  auto p = length_predictor{100};
  for (auto i = 0; i < 100000; ++i) // over several scalings of the weights
    p.finished(100, 500);
  BOOST_TEST(std::abs(p.remaining(100, 0, 1000) - 500.) < 10);
  for (auto i = 0; i < 700; ++i)
    p.finished(100, 20);
  BOOST_TEST(std::abs(p.remaining(100, 0, 1000) - 20.) < 10);
}

// Whatever it is told and asked: in its bounds, and no longer for a tighter
// limit.
BOOST_AUTO_TEST_CASE(any_history_leaves_it_in_bounds) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    auto draw = [&, i = uint64_t{0}]() mutable {
      auto bits = random_bits(seed, i++);
      return static_cast<uint32_t>(bits >> (32 + bits % 32));
    };
    auto p = length_predictor{draw() % 2000};
    for (auto n = draw() % 300; n > 0; --n)
      p.finished(draw(), draw());
    for (auto i = 0; i < 50; ++i) {
      auto prompt = draw();
      auto generated = draw();
      auto most = draw();
      auto r = p.remaining(prompt, generated, most);
      BOOST_REQUIRE_GE(r, 1u);
      if (most > generated)
        BOOST_REQUIRE_LE(r, most - generated);
      if (most / 2 > generated)
        BOOST_REQUIRE_LE(p.remaining(prompt, generated, most / 2), r);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
