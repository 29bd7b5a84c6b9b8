#include "actors/fifo.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <memory>

#include "core/base/random.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(fifo_suite)

BOOST_AUTO_TEST_CASE(it_is_a_deque_that_is_shorter) {
  for (auto seed = 1u; seed <= 50; ++seed) {
    auto mine = fifo<std::unique_ptr<uint64_t>>{};
    auto plain = std::deque<uint64_t>{};
    for (auto n = uint64_t{0}; n < 2000; ++n) {
      auto draw = random_bits(seed, n);
      // Times of coming and of going take turns.
      if (draw % 8 < (n / 100 % 2 ? 3 : 5)) {
        mine.push(std::make_unique<uint64_t>(n));
        plain.push_back(n);
      } else if (!plain.empty()) {
        BOOST_REQUIRE_EQUAL(*mine.front(), plain.front());
        BOOST_REQUIRE_EQUAL(*mine.pop(), plain.front());
        plain.pop_front();
      }
      BOOST_REQUIRE_EQUAL(mine.size(), plain.size());
      BOOST_REQUIRE_EQUAL(mine.empty(), plain.empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_moved_from_is_empty) {
  auto q = fifo<int>{};
  for (auto i = 0; i < 5; ++i)
    q.push(i);
  q.pop();
  auto other = std::move(q);
  BOOST_TEST(q.empty());
  q.push(7);
  BOOST_TEST(q.pop() == 7);
  BOOST_TEST(other.size() == 4u);
  other = std::move(q);
  BOOST_TEST(other.empty());
  BOOST_TEST(q.empty());
}

BOOST_AUTO_TEST_SUITE_END()
