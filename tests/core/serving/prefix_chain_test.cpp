#include "core/serving/prefix_chain.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(prefix_chain_suite)

BOOST_AUTO_TEST_CASE(chains_tell_prefixes_and_salts_apart) {
  auto tokens = std::vector<token_id>(50);
  std::iota(tokens.begin(), tokens.end(), 0);
  auto a = prefix_chain("a", tokens, 16);
  BOOST_TEST(a.size() == 3u);
  auto other = tokens;
  other[17] = -1;
  auto b = prefix_chain("a", other, 16);
  BOOST_TEST(a[0] == b[0]);
  BOOST_TEST(a[1] != b[1]);
  BOOST_TEST(a[2] != b[2]);
  BOOST_TEST(prefix_chain("b", tokens, 16)[0] != a[0]);
  BOOST_TEST(prefix_chain("a", {}, 16).empty());
  BOOST_TEST(prefix_chain("a", tokens, 0).empty());
}

BOOST_AUTO_TEST_SUITE_END()
