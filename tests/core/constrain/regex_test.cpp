#include "core/constrain/regex.hpp"

#include <boost/test/unit_test.hpp>
#include <regex>

using namespace troupe;
using namespace troupe::constrain;

namespace {

// All texts of up to so many of these letters.
std::vector<std::string> texts(const std::string& letters, size_t most) {
  auto all = std::vector<std::string>{""};
  for (auto i = size_t{0}; i < all.size(); ++i)
    if (all[i].size() < most)
      for (auto c : letters)
        all.push_back(all[i] + c);
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_regex)

// The slow twin backtracks.
BOOST_AUTO_TEST_CASE(matches_what_the_standard_library_matches) {
  auto all = texts("ab1-", 5);
  for (auto pattern :
       {"a",       "^a",        "a$",       "^a$",          "^(a|b)*1$",
        "a{2,3}",  "^a{2,}b?$", "[^a]",     "^[a-b1]+$",    "\\d",
        "^\\w+$",  "a|^b",      "(ab)+",    "^(?:a|b-)*$",  "^$",
        "",        "a.b",       "^(a*)*b$", "^[\\d-]*$",    "\\D1",
        "(^a|1$)", "^a*?b",     "b{0}a",    "^(a|ab)(b|-)$"}) {
    auto meter = work_meter{};
    auto part = compile_regex(pattern, regex_extent::part, meter);
    auto whole = compile_regex(pattern, regex_extent::whole, meter);
    BOOST_REQUIRE(part.ok());
    BOOST_REQUIRE(whole.ok());
    auto slow = std::regex{pattern};
    for (auto& t : all) {
      if (part->accepts(t) != std::regex_search(t, slow))
        BOOST_ERROR(pattern << " in " << t);
      if (whole->accepts(t) != std::regex_match(t, slow))
        BOOST_ERROR(pattern << " as " << t);
    }
  }
}

BOOST_AUTO_TEST_CASE(set_operations_are_those_of_the_sets) {
  auto meter = work_meter{};
  auto a = *compile_regex("^(a|bb)*$", regex_extent::part, meter);
  auto b = *compile_regex("b.*a", regex_extent::part, meter);
  auto x = both(a, b, meter), y = neither(a, meter);
  for (auto& t : texts("abc", 6)) {
    BOOST_TEST(x.accepts(t) == (a.accepts(t) && b.accepts(t)));
    BOOST_TEST(y.accepts(t) == !a.accepts(t));
  }
}

BOOST_AUTO_TEST_CASE(few_words_are_told_and_many_are_not) {
  auto meter = work_meter{};
  auto words = [&](const char* pattern) {
    return words_of(*compile_regex(pattern, regex_extent::whole, meter), 8);
  };
  BOOST_TEST(
      (words("line[12]|x") == std::vector<std::string>{"line1", "line2", "x"}));
  BOOST_TEST(!words("[a-z]").has_value());
  BOOST_TEST(!words("a*").has_value());
  BOOST_TEST(!words("(a|b){8}").has_value());
}

BOOST_AUTO_TEST_CASE(work_has_a_bound) {
  for (auto pattern : {"(a|b)*a(a|b){24}", "((a{100}){100}){100}",
                       "(.{1000}|x){1000}", "[\\w-]{90000}"}) {
    auto meter = work_meter{};
    auto made = compile_regex(pattern, regex_extent::whole, meter);
    BOOST_TEST(!made.ok(), pattern);
  }
}

BOOST_AUTO_TEST_SUITE_END()
