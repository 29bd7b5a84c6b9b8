#include "core/text/utf8.hpp"

#include <boost/test/unit_test.hpp>
#include <unicode/utf8.h>

#include "tests/core/text/random_text.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(text_utf8)

BOOST_AUTO_TEST_CASE(all_code_points_go_there_and_back) {
  for (auto code = char32_t{0}; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000)
      continue;
    auto s = std::string{};
    append_utf8(code, s);
    auto step = step_utf8(s, 0);
    if (step.state != utf8_state::whole || step.code != code
        || step.size != s.size())
      BOOST_FAIL("code point " << static_cast<uint32_t>(code));
  }
}

BOOST_AUTO_TEST_CASE(steps_equal_those_of_icu) {
  auto d = test::dice{41};
  for (auto round = 0; round < 20000; ++round) {
    auto text = test::random_bytes(d, 1 + d.roll(6));
    if (round % 2)
      for (auto& c : text)
        c = static_cast<char>(0x80 | d.roll(128));
    for (auto at = int32_t{0}; at < static_cast<int32_t>(text.size());) {
      auto step = step_utf8(text, static_cast<size_t>(at));
      auto code = UChar32{0};
      auto size = static_cast<int32_t>(text.size());
      U8_NEXT(text.data(), at, size, code);
      BOOST_REQUIRE((code >= 0) == (step.state == utf8_state::whole));
      if (code >= 0)
        BOOST_REQUIRE(code == static_cast<UChar32>(step.code));
      // `at` is now behind what the step was to cover.
      auto begin = at - step.size;
      auto check = begin;
      U8_NEXT(text.data(), check, size, code);
      BOOST_REQUIRE(check == at);
      if (step.state == utf8_state::cut)
        BOOST_REQUIRE(at == size);
    }
  }
}

BOOST_AUTO_TEST_CASE(quoting_is_one_printable_line) {
  BOOST_TEST(quoted("a\n\"\\\x01\xFF") == R"("a\n\"\\\x01\xff")");
  BOOST_TEST(quoted("abcdef", 3) == R"("abc"...)");
}

BOOST_AUTO_TEST_SUITE_END()
