#include "core/schema/pattern.hpp"

#include <boost/test/unit_test.hpp>

#include "core/schema/uri_reference.hpp"

using namespace troupe;
using namespace troupe::schema;

namespace {

struct match_case {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

} // namespace

BOOST_AUTO_TEST_SUITE(schema_pattern)

BOOST_AUTO_TEST_CASE(patterns_match_as_ecma_262_has_it) {
  for (auto& c : std::initializer_list<match_case>{
           {"b", "abc", true},
           {"^b", "abc", false},
           {"^abc$", "abc\n", false},
           {"^.$", "\n", false},
           {"^.$", "\xe2\x80\xa8", false}, // U+2028
           {"^.$", "\xf0\x9f\x98\x80", true},
           {"^[^]$", "\n", true},
           {"[]", "a", false},
           {"^[]?$", "", true},
           {"^\\s\\S$",
            "\xef\xbb\xbf"
            "x",
            true},
           {"^[\\s]$", "\xc2\xa0", true},
           {"^[^\\S]$", "\xe3\x80\x80", true},
           {"^[\\S]$", " ", false},
           {"^\\d+$", "\xd9\xa1", false},
           {"^\\x41\\u0042\\u{43}\\ud83d\\ude00$", "ABC\xf0\x9f\x98\x80", true},
           {"^\\cJ\\0$", std::string_view{"\n\0", 2}, true},
           {"^[\\b]$", "\b", true},
           {"^a{2}$", "aa", true},
           {"^a{2,}$", "aaaaa", true},
           {"^a{2,3}?$", "aaaa", false},
           {"^a{,3}$", "a{,3}", true}, // no repetition, so a text
           {"^{}]$", "{}]", true},
           {"^(?<year>\\d{4})-(?:x|y)$", "2024-y", true},
           {"^[a-]$", "-", true},
           {"^[\\-\\]\\\\]+$", "-]\\", true},
           {"^[+--]$", ",", true},
           {"^\\p{Lu}\\P{Lu}$", "Aa", true},
           {"^\\p{Script=Greek}+$", "\xce\xb1\xce\xb2", true},
           {"^[\\p{L}\\d]+$",
            "\xc3\xa9"
            "1",
            true},
           {"^\\/\\-\\_\\\"$", "/-_\"", true},
           {"\\bfoo\\b", "a foo b", true},
           {"\\Boo", "foo", true},
           {"^(a|b|)$", "", true},
       }) {
    auto p = pattern::compile(c.pattern);
    BOOST_REQUIRE_MESSAGE(p.ok(),
                          c.pattern << ": " << (p ? "" : p.failure().message));
    BOOST_TEST(p->matches(c.text) == c.matches, c.pattern << " " << c.text);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_pattern_is_refused) {
  for (auto t :
       {"(",           ")",     "(a",     "a)",          "[a",      "[z-a]",
        "[\\d-a-\\w]", "*",     "a**",    "a{2,1}",      "^*",      "(?",
        "(?P<n>a)",    "(?i)a", "(?#c)",  "\\",          "\\a",     "\\Z",
        "\\c1",        "\\x4",  "\\u123", "\\u{110000}", "\\ud800", "\\p",
        "\\p{",        "\\p{}", "\\k",    "\\00",        "(?<1>a)", "[\\",
        "|*",          "\\q"}) {
    auto p = translate_pattern(t);
    BOOST_REQUIRE_MESSAGE(!p.ok(), t);
    BOOST_TEST((p.failure().code == errc::invalid_argument), t);
  }
}

BOOST_AUTO_TEST_CASE(what_takes_more_than_linear_time_is_told_apart) {
  for (auto t : {"(?=a)", "(?!a)b", "(?<=a)b", "(?<!a)b", "(a)\\1",
                 "(?<n>a)\\k<n>", "a{1001}", "\\p{Emoji}"}) {
    auto p = pattern::compile(t);
    BOOST_REQUIRE_MESSAGE(!p.ok(), t);
    BOOST_TEST((p.failure().code == errc::unsupported), t);
  }
  // Also wrong beyond that.
  BOOST_TEST(
      (translate_pattern("(?=a").failure().code == errc::invalid_argument));
}

// RFC 3986, section 5.4.
BOOST_AUTO_TEST_CASE(references_are_resolved_as_the_rfc_shows) {
  auto base = std::string_view{"http://a/b/c/d;p?q"};
  using pair = std::pair<std::string_view, std::string_view>;
  for (auto& [reference, want] : std::initializer_list<pair>{
           {"g:h", "g:h"},
           {"g", "http://a/b/c/g"},
           {"./g", "http://a/b/c/g"},
           {"g/", "http://a/b/c/g/"},
           {"/g", "http://a/g"},
           {"//g", "http://g"},
           {"?y", "http://a/b/c/d;p?y"},
           {"g?y", "http://a/b/c/g?y"},
           {"#s", "http://a/b/c/d;p?q#s"},
           {"g#s", "http://a/b/c/g#s"},
           {"g?y#s", "http://a/b/c/g?y#s"},
           {";x", "http://a/b/c/;x"},
           {"", "http://a/b/c/d;p?q"},
           {".", "http://a/b/c/"},
           {"./", "http://a/b/c/"},
           {"..", "http://a/b/"},
           {"../g", "http://a/b/g"},
           {"../..", "http://a/"},
           {"../../g", "http://a/g"},
           {"../../../g", "http://a/g"},
           {"/./g", "http://a/g"},
           {"/../g", "http://a/g"},
           {"g.", "http://a/b/c/g."},
           {"..g", "http://a/b/c/..g"},
           {"./../g", "http://a/b/g"},
           {"./g/.", "http://a/b/c/g/"},
           {"g/./h", "http://a/b/c/g/h"},
           {"g/../h", "http://a/b/c/h"},
           {"g?y/../x", "http://a/b/c/g?y/../x"},
       })
    BOOST_TEST(resolve_uri(base, reference) == want, reference);
  BOOST_TEST(resolve_uri("urn:uuid:1", "#a") == "urn:uuid:1#a");
  BOOST_TEST(resolve_uri("", "a/b#c") == "a/b#c");
  BOOST_TEST(percent_decode("a%2Fb%zz%4") == "a/b%zz%4");
}

BOOST_AUTO_TEST_SUITE_END()
