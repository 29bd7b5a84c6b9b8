#include "core/text/stop_matcher.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/random_text.hpp"

using namespace troupe;
using test::strings;

namespace {

// The plain twin: all of the text at once.
std::string cut_whole(const std::string& text, const strings& stops) {
  auto at = text.size();
  for (auto& stop : stops)
    if (!stop.empty())
      at = std::min(at, text.find(stop));
  return text.substr(0, at);
}

bool has_stop(const std::string& text, const strings& stops) {
  return std::any_of(stops.begin(), stops.end(), [&](auto& stop) {
    return !stop.empty() && text.find(stop) != text.npos;
  });
}

// Whether `text` ends in what may be the beginning of a stop string.
size_t longest_held(const std::string& text, const strings& stops) {
  auto most = size_t{0};
  for (auto& stop : stops)
    for (auto n = size_t{1}; n < stop.size() && n <= text.size(); ++n)
      if (text.substr(text.size() - n) == stop.substr(0, n))
        most = std::max(most, n);
  return most;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_stop_matcher)

BOOST_AUTO_TEST_CASE(by_hand) {
  auto m = stop_matcher{{"END", ""}};
  BOOST_TEST(m.push("the E") == "the ");
  BOOST_TEST(m.push("N") == "");
  BOOST_TEST(m.push("EN") == "EN");
  BOOST_TEST(!m.stopped());
  BOOST_TEST(m.push("D and more") == "");
  BOOST_TEST(m.stopped());
  BOOST_TEST(m.push("x") == "");
  BOOST_TEST(m.finish() == "");
}

BOOST_AUTO_TEST_CASE(what_is_held_comes_at_the_end) {
  auto m = stop_matcher{{"END"}};
  BOOST_TEST(m.push("aEN") == "a");
  BOOST_TEST(m.finish() == "EN");
  BOOST_TEST(!m.stopped());
}

BOOST_AUTO_TEST_CASE(the_one_that_begins_first_wins) {
  // "bc" is whole first, but "abcd" would begin before it.
  for (auto [text, kept] :
       {std::pair{"xabcd", "x"}, {"xabce", "xa"}, {"xabc", "xa"}}) {
    auto m = stop_matcher{{"bc", "abcd"}};
    auto out = std::string{};
    for (auto c : std::string_view{text})
      out += m.push({&c, 1});
    out += m.finish();
    BOOST_TEST(out == kept);
    BOOST_TEST(m.stopped());
  }
}

BOOST_AUTO_TEST_CASE(without_stops_all_passes) {
  auto m = stop_matcher{{}};
  BOOST_TEST(m.push("abc") == "abc");
  BOOST_TEST(m.finish() == "");
}

BOOST_AUTO_TEST_CASE(all_splits_equal_the_whole) {
  auto d = test::dice{21};
  for (auto round = 0; round < 400; ++round) {
    auto text = std::string{};
    for (auto n = d.roll(11); n > 0; --n)
      text += "ab"[d.roll(2)];
    auto stops = strings(d.roll(4));
    for (auto& stop : stops)
      for (auto n = d.roll(5); n > 0; --n)
        stop += "ab"[d.roll(2)];
    auto wanted = cut_whole(text, stops);
    auto cuts = text.empty() ? 0 : text.size() - 1;
    for (auto mask = size_t{0}; mask < size_t{1} << cuts; ++mask) {
      auto m = stop_matcher{stops};
      auto out = std::string{};
      for (auto at = size_t{0}; at < text.size();) {
        auto end = at + 1;
        while (end < text.size() && !(mask >> (end - 1) & 1))
          ++end;
        out += m.push(std::string_view{text}.substr(at, end - at));
        // It holds back no more than it must.
        auto seen = text.substr(0, end);
        if (!has_stop(seen, stops))
          BOOST_REQUIRE(out.size() == end - longest_held(seen, stops));
        at = end;
      }
      out += m.finish();
      BOOST_REQUIRE(out == wanted);
      BOOST_REQUIRE(m.stopped() == has_stop(text, stops));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_long_stop_costs_one_step_a_byte) {
  // Compared from every place, this would take 10^12 steps.
  auto m = stop_matcher{{std::string(1 << 20, 'a') + "b"}};
  auto text = std::string(1 << 21, 'a');
  auto out = std::string{};
  for (auto at = size_t{0}; at < text.size(); at += 4096)
    out += m.push(std::string_view{text}.substr(at, 4096));
  BOOST_TEST(out.size() == size_t{1} << 20);
  out += m.finish();
  BOOST_TEST((out == text));
}

BOOST_AUTO_TEST_SUITE_END()
