#include "core/text/token_trie.hpp"

#include <boost/test/unit_test.hpp>
#include <map>

#include "tests/core/text/random_text.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(text_token_trie)

BOOST_AUTO_TEST_CASE(the_leftmost_then_the_longest_equals_its_plain_twin) {
  auto d = test::dice{61};
  auto word = [&](size_t most) {
    auto s = std::string{};
    for (auto n = d.roll(most); n > 0; --n)
      s += "ab\xFF"[d.roll(3)];
    return s;
  };
  for (auto round = 0; round < 3000; ++round) {
    auto trie = token_trie{};
    auto all = std::map<std::string, token_id>{};
    auto count = static_cast<token_id>(d.roll(6));
    for (auto id = token_id{0}; id < count; ++id) {
      auto text = std::string{"a"};
      text += word(5);
      if (all.emplace(text, id).second)
        trie.insert(text, id);
    }
    BOOST_TEST(trie.empty() == all.empty());
    auto text = word(30);
    for (auto from = size_t{0}; from <= text.size(); ++from) {
      auto wanted = std::optional<token_trie::hit>{};
      for (auto at = from; at < text.size() && !wanted; ++at)
        for (auto& [token, id] : all) // the longer of two prefixes is later
          if (text.compare(at, token.size(), token) == 0)
            wanted = token_trie::hit{at, at + token.size(), id};
      auto got = trie.find(text, from);
      BOOST_REQUIRE(got.has_value() == wanted.has_value());
      if (got)
        BOOST_REQUIRE((got->begin == wanted->begin && got->end == wanted->end
                       && got->id == wanted->id));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
