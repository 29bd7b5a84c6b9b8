#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>

#include "core/base/random.hpp"
#include "core/serving/token_stream.hpp"

using namespace troupe;

namespace {

using ids = std::vector<token_id>;

} // namespace

BOOST_AUTO_TEST_SUITE(serving_token_stream)

BOOST_AUTO_TEST_CASE(tokens_in_order_are_ready_at_once) {
  auto s = token_stream{};
  BOOST_TEST(s.accept(0, {5}) == 1u);
  BOOST_TEST(s.accept(1, {6, 7}) == 2u);
  BOOST_TEST(s.ready() == (ids{5, 6, 7}), boost::test_tools::per_element());
  BOOST_TEST(!s.has_gap());
}

BOOST_AUTO_TEST_CASE(repeats_count_once) {
  auto s = token_stream{};
  s.accept(0, {1, 2, 3});
  BOOST_TEST(s.accept(0, {1, 2, 3}) == 0u);
  BOOST_TEST(s.accept(1, {2, 3, 4}) == 1u);
  BOOST_TEST(s.accept(7, {}) == 0u);
  BOOST_TEST(s.ready() == (ids{1, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_gap_holds_back_what_follows) {
  auto s = token_stream{};
  BOOST_TEST(s.accept(2, {3}) == 0u);
  BOOST_TEST(s.accept(4, {5}) == 0u);
  BOOST_TEST(s.has_gap());
  BOOST_TEST(s.accept(0, {1}) == 1u);
  BOOST_TEST(s.accept(1, {2}) == 2u);
  BOOST_TEST(s.has_gap());
  BOOST_TEST(s.accept(3, {4}) == 2u);
  BOOST_TEST(!s.has_gap());
  BOOST_TEST(s.ready() == (ids{1, 2, 3, 4, 5}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(any_order_any_cut_any_repetition_gives_the_same) {
  auto all = ids(40);
  std::iota(all.begin(), all.end(), 100);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    auto draw = [&, n = uint64_t{0}](uint64_t below) mutable {
      return random_bits(seed, n++) % below;
    };
    auto pieces = std::vector<std::pair<uint32_t, ids>>{};
    for (auto round = 0; round < 2; ++round)
      for (size_t at = 0; at < all.size();) {
        auto n = std::min<size_t>(1 + draw(5), all.size() - at);
        pieces.emplace_back(static_cast<uint32_t>(at),
                            ids(all.begin() + at, all.begin() + at + n));
        at += n;
      }
    for (auto i = pieces.size(); i > 1; --i)
      std::swap(pieces[i - 1], pieces[draw(i)]);
    auto s = token_stream{};
    auto became_ready = size_t{0};
    for (auto& [index, tokens] : pieces)
      became_ready += s.accept(index, tokens);
    BOOST_REQUIRE(s.ready() == all);
    BOOST_REQUIRE_EQUAL(became_ready, all.size());
    BOOST_REQUIRE(!s.has_gap());
  }
}

BOOST_AUTO_TEST_SUITE_END()
