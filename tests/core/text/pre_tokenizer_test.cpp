#include "core/text/pre_tokenizer.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <unicode/regex.h>
#include <vector>

#include "tests/core/text/random_text.hpp"

using namespace troupe;

namespace {

using words = std::vector<std::string>;

words cut(pre_tokenizer pre, std::string_view text) {
  auto out = words{};
  for (auto at = size_t{0}; at < text.size();) {
    auto end = next_word(pre, text, at);
    BOOST_REQUIRE(end > at);
    BOOST_REQUIRE(end <= text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end;
  }
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
    while (matcher_->find(status))
      matcher_->group(status).toUTF8String(out.emplace_back());
    BOOST_REQUIRE(U_SUCCESS(status));
    return out;
  }

private:
  std::unique_ptr<icu::RegexMatcher> matcher_;
};

const auto gpt2_pattern =
    std::string{R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+)"
                R"(| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"};

std::string llama_pattern(const std::string& digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits
         + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

void compare(pre_tokenizer pre, const std::string& pattern) {
  auto twin = regex_twin{pattern};
  auto d = test::dice{7};
  for (auto i = 0; i < 3000; ++i) {
    auto text = test::random_utf8(d, 1 + d.roll(20));
    BOOST_TEST_CONTEXT("text " << quoted(text, 1000))
    BOOST_TEST(cut(pre, text) == twin.cut(text),
               boost::test_tools::per_element());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_pre_tokenizer)

BOOST_AUTO_TEST_CASE(gpt2_cuts_by_hand) {
  auto p = pre_tokenizer::gpt2;
  BOOST_TEST(cut(p, "I'll go, 12345  times!\n\n ok")
             == (words{"I", "'ll", " go", ",", " 12345", " ", " times", "!",
                       "\n\n", " ok"}));
  BOOST_TEST(cut(p, "IT'S a\n") == (words{"IT", "'", "S", " a", "\n"}));
  BOOST_TEST(cut(p, "end   ") == (words{"end", "   "}));
}

BOOST_AUTO_TEST_CASE(llama_cuts_by_hand) {
  auto p = pre_tokenizer::llama_bpe;
  BOOST_TEST(cut(p, "IT'S 12345 (ok).\n\n  x \n y")
             == (words{"IT", "'S", " ", "123", "45", " (", "ok", ").\n\n", " ",
                       " x", " \n", " y"}));
  BOOST_TEST(cut(p, "a'\u017Fb") == (words{"a", "'\u017F", "b"}));
  BOOST_TEST(cut(p, "\tfoo\n\t\tbar") == (words{"\tfoo", "\n", "\t", "\tbar"}));
}

BOOST_AUTO_TEST_CASE(qwen2_cuts_digits_one_by_one) {
  BOOST_TEST(cut(pre_tokenizer::qwen2, " 123") == (words{" ", "1", "2", "3"}));
}

BOOST_AUTO_TEST_CASE(scanners_equal_their_regular_expressions) {
  compare(pre_tokenizer::gpt2, gpt2_pattern);
  compare(pre_tokenizer::llama_bpe, llama_pattern(R"(\p{N}{1,3})"));
  compare(pre_tokenizer::qwen2, llama_pattern(R"(\p{N})"));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_not_utf8_are_symbols) {
  BOOST_TEST(cut(pre_tokenizer::gpt2, "a\xFF\xE4\xBD z")
             == (words{"a", "\xFF\xE4\xBD", " z"}));
  BOOST_TEST(cut(pre_tokenizer::llama_bpe, "\xED\xA0\x80!\n")
             == (words{"\xED\xA0\x80!\n"}));
}

BOOST_AUTO_TEST_CASE(names) {
  BOOST_TEST((find_pre_tokenizer("default") == pre_tokenizer::gpt2));
  BOOST_TEST((find_pre_tokenizer("llama-bpe") == pre_tokenizer::llama_bpe));
  BOOST_TEST((find_pre_tokenizer("qwen2") == pre_tokenizer::qwen2));
  BOOST_TEST(!find_pre_tokenizer("deepseek-coder"));
}

BOOST_AUTO_TEST_SUITE_END()
