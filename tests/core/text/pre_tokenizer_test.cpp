#include "core/text/pre_tokenizer.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <unicode/regex.h>
#include <vector>

#include "tests/core/text/random_text.hpp"

using namespace troupe;

namespace {

using words = std::vector<std::string>;

pre_tokenizer made(const std::vector<std::string>& patterns) {
  auto p = pre_tokenizer::make(patterns);
  BOOST_REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.failure().message));
  return *p;
}

pre_tokenizer named(std::string_view name) {
  auto rules = find_pre_tokenizer(name);
  BOOST_REQUIRE_MESSAGE(rules, name);
  return made(rules->patterns);
}

words cut(const pre_tokenizer& pre, std::string_view text) {
  auto out = words{};
  auto at = size_t{0};
  for (auto end : pre.cut(text)) {
    BOOST_REQUIRE(end > at);
    BOOST_REQUIRE(end <= text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
  BOOST_REQUIRE(at == text.size());
  return out;
}

// The plain twin: the model family's regular expression in ICU's engine, with
// White_Space for \s as Oniguruma has it.
class regex_twin {
public:
  explicit regex_twin(std::string pattern) {
    for (auto at = size_t{0}; (at = pattern.find("\\s", at)) != pattern.npos;)
      pattern.replace(at, 2, "\\p{White_Space}");
    for (auto at = size_t{0}; (at = pattern.find("\\S", at)) != pattern.npos;)
      pattern.replace(at, 2, "\\P{White_Space}");
    auto status = U_ZERO_ERROR;
    matcher_ = std::make_unique<icu::RegexMatcher>(
        icu::UnicodeString::fromUTF8(pattern), 0, status);
    BOOST_REQUIRE(U_SUCCESS(status));
  }

  words cut(const std::string& text) {
    auto out = words{};
    auto input = icu::UnicodeString::fromUTF8(text);
    matcher_->reset(input);
    auto status = U_ZERO_ERROR;
    auto at = 0;
    auto piece = [&](int begin, int end) {
      if (end > begin)
        input.tempSubStringBetween(begin, end).toUTF8String(out.emplace_back());
    };
    while (matcher_->find(status)) {
      piece(at, matcher_->start(status));
      at = matcher_->end(status);
      piece(matcher_->start(status), at);
    }
    piece(at, input.length());
    BOOST_REQUIRE(U_SUCCESS(status));
    return out;
  }

private:
  std::unique_ptr<icu::RegexMatcher> matcher_;
};

words twin_cut(std::vector<regex_twin>& twins, const std::string& text) {
  auto pieces = words{text};
  for (auto& twin : twins) {
    auto finer = words{};
    for (auto& piece : pieces)
      for (auto& word : twin.cut(piece))
        finer.push_back(std::move(word));
    pieces = std::move(finer);
  }
  return pieces;
}

void compare(const std::vector<std::string>& patterns) {
  auto p = made(patterns);
  auto twins = std::vector<regex_twin>{};
  for (auto& pattern : patterns)
    twins.emplace_back(pattern);
  auto d = test::dice{7};
  for (auto i = 0; i < 1000; ++i) {
    auto text = test::random_utf8(d, 1 + d.roll(20));
    BOOST_TEST_CONTEXT("text " << quoted(text, 1000))
    BOOST_TEST(cut(p, text) == twin_cut(twins, text),
               boost::test_tools::per_element());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_pre_tokenizer)

BOOST_AUTO_TEST_CASE(gpt2_cuts_by_hand) {
  auto p = named("gpt-2");
  BOOST_TEST(cut(p, "I'll go, 12345  times!\n\n ok")
             == (words{"I", "'ll", " go", ",", " 12345", " ", " times", "!",
                       "\n\n", " ok"}));
  BOOST_TEST(cut(p, "IT'S a\n") == (words{"IT", "'", "S", " a", "\n"}));
  BOOST_TEST(cut(p, "end   ") == (words{"end", "   "}));
}

BOOST_AUTO_TEST_CASE(llama_cuts_by_hand) {
  auto p = named("llama-bpe");
  BOOST_TEST(cut(p, "IT'S 12345 (ok).\n\n  x \n y")
             == (words{"IT", "'S", " ", "123", "45", " (", "ok", ").\n\n", " ",
                       " x", " \n", " y"}));
  BOOST_TEST(cut(p, "a'\u017Fb") == (words{"a", "'\u017F", "b"}));
  BOOST_TEST(cut(p, "\tfoo\n\t\tbar") == (words{"\tfoo", "\n", "\t", "\tbar"}));
}

BOOST_AUTO_TEST_CASE(qwen2_cuts_digits_one_by_one) {
  BOOST_TEST(cut(named("qwen2"), " 123") == (words{" ", "1", "2", "3"}));
}

BOOST_AUTO_TEST_CASE(scanners_equal_their_regular_expressions) {
  for (auto name : {"gpt-2", "llama-bpe", "qwen2", "qwen35", "smollm", "tekken",
                    "gpt-4o", "seed-coder", "bloom", "viking", "falcon",
                    "deepseek-coder", "deepseek-llm", "deepseek-v3"})
    BOOST_TEST_CONTEXT(name)
  compare(find_pre_tokenizer(name)->patterns);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_are_symbols) {
  BOOST_TEST(cut(named("gpt-2"), "a\xFF\xE4\xBD z")
             == (words{"a", "\xFF\xE4\xBD", " z"}));
  BOOST_TEST(cut(named("llama-bpe"), "\xED\xA0\x80!\n")
             == (words{"\xED\xA0\x80!\n"}));
}

BOOST_AUTO_TEST_CASE(names) {
  for (auto name : {"", "default", "llama3", "command-r", "refact", "dbrx"})
    BOOST_TEST(find_pre_tokenizer(name).has_value());
  BOOST_TEST(find_pre_tokenizer("llama-bpe")->ignore_merges);
  BOOST_TEST(!find_pre_tokenizer("dbrx")->ignore_merges);
  BOOST_TEST(!find_pre_tokenizer("no-such"));
}

BOOST_AUTO_TEST_CASE(other_expressions_equal_their_twins) {
  for (auto pattern :
       {R"(a|ab|abc)", R"((?:a|ab)(?:c|bcd)?)", R"((a*|b)+c)", R"(\s{2,3}x?)",
        R"([^\S\n]+|\n)", R"([\u0061-\x{7A}\P{L}]{1,4})", R"((?i:K|S\b?)"}) {
    auto p = pre_tokenizer::make({pattern});
    if (std::string_view{pattern}.find("\\b") != std::string_view::npos) {
      BOOST_TEST((p.failure().code == errc::unsupported));
      continue;
    }
    compare({pattern});
  }
}

BOOST_AUTO_TEST_CASE(syntax_that_is_not_known_is_refused) {
  auto deep = std::string(40, '(') + "a" + std::string(40, ')');
  auto many = std::string{"a"};
  for (auto i = 0; i < 8; ++i)
    many = "(" + many + "){9}";
  for (auto pattern :
       std::initializer_list<std::string>{"",
                                          "a*",
                                          "(a",
                                          "a)",
                                          "[a",
                                          "[]",
                                          "a{3,1}",
                                          "a{999}",
                                          "a++",
                                          "a+?",
                                          "(?=a)a",
                                          "(?<=a)b",
                                          "(?!ab)a",
                                          "(?!a)",
                                          "\\p{Han}",
                                          "\\b",
                                          "^a",
                                          ".",
                                          "\\",
                                          "[a[b]]",
                                          "[a&&b]",
                                          "[z-a]",
                                          "\\x{110000}",
                                          "$",
                                          "a|",
                                          "\xFF",
                                          deep,
                                          many,
                                          std::string(5000, 'a')}) {
    auto got = pre_tokenizer::make({pattern});
    BOOST_TEST_CONTEXT(quoted(pattern)) {
      BOOST_REQUIRE(!got.ok());
      BOOST_TEST((got.failure().code == errc::unsupported));
      BOOST_TEST(got.failure().message.find('\n') == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(long_runs_are_cut) {
  for (auto name : {"gpt-4o", "deepseek-v3", "deepseek-coder", "tekken"}) {
    auto p = named(name);
    for (auto what : {"A", "a", " ", "!", "\u4F60", "1"}) {
      auto text = std::string{};
      while (text.size() < 200'000)
        text += what;
      BOOST_TEST(p.cut(text).back() == text.size());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
