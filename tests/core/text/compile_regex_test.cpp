#include "core/text/compile_regex.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/core/text/make_tokenizer.hpp"

using namespace troupe;

namespace {

compiled_regex compiled(std::string_view pattern) {
  auto c = compile_regex(pattern);
  BOOST_REQUIRE_MESSAGE(c.ok(), test::message(c));
  return *c;
}

void refuse(const std::string& pattern, std::string_view reason) {
  auto c = compile_regex(pattern);
  BOOST_TEST_CONTEXT(reason) {
    BOOST_REQUIRE(!c.ok());
    auto& e = c.failure();
    BOOST_TEST((e.code == errc::unsupported));
    BOOST_TEST_INFO(e.message);
    BOOST_TEST(e.message.ends_with(" has " + std::string{reason}));
    BOOST_TEST(e.message.find("the regular expression \"") == 0u);
    BOOST_TEST(e.message.find('\n') == std::string::npos);
    BOOST_TEST(e.message.size() < 1200u);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_compile_regex)

BOOST_AUTO_TEST_CASE(programs_end_in_a_match_and_jump_within_themselves) {
  for (auto pattern : {"a", "a|b|cd", "(?:a|b){2,5}c?", "[^a]+(?!b)", "x*y$",
                       "(a(b(c)*)+){3}", "(?:|a){2}b", "(){9}a"}) {
    auto c = compiled(pattern);
    auto n = static_cast<int32_t>(c.program.size());
    BOOST_TEST_CONTEXT(pattern) {
      BOOST_TEST((c.program.back().what == word_regex::op::matched));
      for (auto i = 0; i < n; ++i) {
        auto& step = c.program[static_cast<size_t>(i)];
        if (step.what == word_regex::op::split) {
          BOOST_TEST((i + step.a >= 0 && i + step.a < n));
          BOOST_TEST((i + step.b >= 0 && i + step.b < n));
        } else if (step.what == word_regex::op::in_class
                   || step.what == word_regex::op::not_next) {
          BOOST_TEST(static_cast<size_t>(step.a) < c.classes.size());
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_reason_of_a_refusal_is_named) {
  refuse("", "a match of nothing");
  refuse("a*|b", "a match of nothing");
  refuse("(a", "an unmatched (");
  refuse("a)", "an unmatched )");
  refuse("a+?", "a lazy or possessive quantifier");
  refuse("a{2}{3}", "a lazy or possessive quantifier");
  refuse("a{3,1}", "a repetition that is none");
  refuse("a{99999999999}", "a repetition that is none");
  refuse("a{1,65}", "a repetition that is none");
  refuse("a{", "a repetition that is none");
  refuse("(?!ab)c", "a lookahead of more than a class");
  refuse("[a[b]]", "a class in a class");
  refuse("[z-a]", "a range that is none");
  refuse("[a-\\d]", "a range that is none");
  refuse("[a", "an end too early");
  refuse("\\", "an end too early");
  refuse("\\p{Han}", "the category \"Han\"");
  refuse("\\p{L", "the category \"L\"");
  refuse("\\pL", "\\p without a name");
  refuse("\\x{110000}", "a code point that is none");
  refuse("\\u12", "a code point that is none");
  refuse("a\n\xFF", "bytes that are not UTF-8");
  refuse(".", "unknown syntax at byte 0");
}

BOOST_AUTO_TEST_CASE(size_and_depth_are_bounded) {
  auto group = [](size_t depth) {
    return std::string(depth, '(') + "a" + std::string(depth, ')');
  };
  compiled(group(16));
  refuse(group(17), "groups too deep");
  refuse(std::string(2000, '('), "groups too deep");
  compiled(std::string(64, 'a'));
  refuse(std::string(65, 'a'), "more than is reasonable");
  refuse("a|" + std::string(4095, 'b'), "more than is reasonable");
  compiled("(a{60}){60}");
  refuse("(a{64}){64}b", "more than is reasonable");
  refuse("(((((a{64}){64}){64}){64}){64}){64}", "more than is reasonable");
  refuse("((((a?){64}){64}){64}){64}b", "more than is reasonable");
}

BOOST_AUTO_TEST_SUITE_END()
