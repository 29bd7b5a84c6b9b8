#include "core/text/bpe_tokenizer.hpp"

#include <algorithm>
#include <map>

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/random_text.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;
using test::dice;
using test::pieces;
using test::strings;
using ids = test::token_ids;

namespace {

// The plain twin of merging: the best-ranked pair, the leftmost of them, is
// joined, again and again, over strings.
ids naive(const tokenizer& t, std::string_view text) {
  auto rank = std::map<std::string, size_t>{};
  for (auto i = size_t{0}; i < t.vocab().merges.size(); ++i)
    rank.emplace(t.vocab().merges[i], i);
  auto out = ids{};
  auto at = size_t{0};
  for (auto end : pre_tokenizer::make(*t.vocab().patterns)->cut(text)) {
    auto parts = strings{};
    auto whole = std::string{};
    for (auto c : text.substr(at, end - at)) {
      parts.push_back(test::spell_byte(static_cast<uint8_t>(c)));
      whole += parts.back();
    }
    at = end;
    if (*t.vocab().ignore_merges && t.find(whole))
      parts = {whole};
    for (;;) {
      auto best = rank.size(), where = size_t{0};
      for (auto i = size_t{0}; i + 1 < parts.size(); ++i) {
        auto r = rank.find(parts[i] + " " + parts[i + 1]);
        if (r != rank.end() && r->second < best) {
          best = r->second;
          where = i;
        }
      }
      if (best == rank.size())
        break;
      parts[where] += parts[where + 1];
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(where) + 1);
    }
    for (auto& part : parts)
      out.push_back(t.find(part).value());
  }
  return out;
}

// Merges in no sensible order, over few characters, so that they meet.
vocabulary random_bpe(dice& d, std::string pre) {
  auto tokens = strings{"a", "b", "c", "Ġ", "Ċ", "'", "1"};
  auto merges = strings{};
  for (auto i = 0; i < 60; ++i) {
    auto left = tokens[d.roll(tokens.size())];
    auto right = tokens[d.roll(tokens.size())];
    auto line = left + " " + right;
    if (left.size() + right.size() > 12
        || std::count(merges.begin(), merges.end(), line))
      continue;
    tokens.push_back(left + right);
    merges.push_back(line);
  }
  for (auto i = merges.size(); i > 1; --i)
    std::swap(merges[i - 1], merges[d.roll(i)]);
  return test::small_bpe(std::move(pre), merges);
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_bpe)

BOOST_AUTO_TEST_CASE(merges_by_hand) {
  auto t = test::make_tokenizer(test::small_bpe("gpt-2"));
  BOOST_TEST(pieces(*t, "hello world, the thing")
             == (strings{"hello", " world", ",", " the", " ", "th", "ing"}));
  BOOST_TEST(t->encode("A") == (ids{'A'}));
  BOOST_TEST(t->encode("").empty());
}

BOOST_AUTO_TEST_CASE(merging_equals_its_plain_twin) {
  auto d = dice{11};
  for (auto pre : {"gpt-2", "llama-bpe", "qwen2"})
    for (auto v = 0; v < 12; ++v) {
      auto t = test::make_tokenizer(random_bpe(d, pre));
      for (auto i = 0; i < 60; ++i) {
        auto text = std::string{};
        for (auto n = d.roll(i % 10 == 0 ? 300 : 40); n > 0; --n)
          text += "aaaabbbcc  \n'1"[d.roll(14)];
        BOOST_TEST_CONTEXT(pre << " " << quoted(text, 1000))
        BOOST_TEST(t->encode(text) == naive(*t, text));
      }
    }
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  auto d = dice{12};
  for (auto pre : {"gpt-2", "llama-bpe", "qwen2"}) {
    auto t = test::make_tokenizer(test::small_bpe(pre));
    for (auto i = 0; i < 1500; ++i) {
      auto text = test::random_bytes(d, d.roll(30));
      auto got = t->encode(text);
      BOOST_REQUIRE_MESSAGE(t->decode(got) == text, quoted(text, 1000));
      BOOST_REQUIRE(got == naive(*t, text));
    }
  }
}

BOOST_AUTO_TEST_CASE(every_byte_has_its_token) {
  auto t = test::make_tokenizer(test::small_bpe("gpt-2"));
  for (auto b = 0; b < 256; ++b) {
    auto text = std::string(1, static_cast<char>(b));
    BOOST_TEST(t->encode(text) == (ids{b}));
    BOOST_TEST(t->decode(ids{b}) == text);
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_never_utf8_may_lack_a_token) {
  auto v = test::small_bpe("gpt-2");
  for (auto b : {0xC0, 0xC1, 0xF5, 0xFF})
    v.tokens[static_cast<size_t>(b)] = "lacking" + std::to_string(b);
  auto t = test::make_tokenizer(v);
  BOOST_TEST(t->decode(t->encode("a\xC0\xFEz\xFF")) == "a\uFFFD\xFEz\uFFFD");
}

BOOST_AUTO_TEST_CASE(words_of_a_megabyte_are_not_quadratic) {
  // A quadratic merge would take hours here.
  auto merges = strings{"x x", "xx xx", "xxxx xxxx"};
  auto t = test::make_tokenizer(test::small_bpe("qwen2", merges));
  auto text = std::string(1 << 20, 'x');
  auto got = t->encode(text);
  BOOST_TEST(got.size() == text.size() / 8);
  BOOST_TEST(t->decode(got) == text);
  auto blank = std::string(1 << 20, ' ');
  BOOST_TEST(t->decode(t->encode(blank)) == blank);
  auto marks = std::string(1 << 20, '\xFF');
  BOOST_TEST(t->decode(t->encode(marks)) == marks);
}

BOOST_AUTO_TEST_CASE(llama_takes_whole_words_whatever_the_merges_say) {
  auto v = test::small_bpe("llama-bpe");
  test::add_token(v, "Ġwhole");
  auto t = test::make_tokenizer(v);
  BOOST_TEST(pieces(*t, "a whole") == (strings{"a", " whole"}));
  v.pre = "qwen2";
  t = test::make_tokenizer(v);
  BOOST_TEST(pieces(*t, "a whole") == (strings{"a", " w", "h", "o", "l", "e"}));
}

BOOST_AUTO_TEST_CASE(control_tokens_come_only_of_parse_special) {
  auto t = test::make_tokenizer(test::small_bpe("gpt-2"));
  auto text = "hello<|im_end|>hello";
  BOOST_TEST(pieces(*t, text, {.parse_special = true})
             == (strings{"hello", "<|im_end|>", "hello"}));
  for (auto id : t->encode(text))
    BOOST_TEST(!t->is_control(id));
  BOOST_TEST(t->decode(t->encode(text)) == text);
}

BOOST_AUTO_TEST_CASE(a_control_token_cannot_be_spelled_by_a_whole_word) {
  auto v = test::small_bpe("llama-bpe");
  test::add_token(v, "stop", token_kind::control);
  auto t = test::make_tokenizer(v);
  BOOST_TEST(pieces(*t, "stop") == (strings{"s", "t", "o", "p"}));
}

BOOST_AUTO_TEST_CASE(user_defined_tokens_are_always_read) {
  auto v = test::small_bpe("gpt-2");
  test::add_token(v, "<tool>x", token_kind::user_defined);
  test::add_token(v, "<a<|im_end|>", token_kind::user_defined);
  auto t = test::make_tokenizer(v);
  for (auto special : {false, true})
    BOOST_TEST(
        pieces(*t, "hello<tool> <tool>xx<a<|im_end|>",
               {.parse_special = special})
        == (strings{"hello", "<tool>", " ", "<tool>x", "x", "<a<|im_end|>"}));
}

BOOST_AUTO_TEST_SUITE_END()
