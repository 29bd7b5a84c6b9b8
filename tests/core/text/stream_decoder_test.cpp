#include "core/text/stream_decoder.hpp"

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/random_text.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;
using test::make_tokenizer;

namespace {

// The plain twin of replacing: what ICU's conversion does, by hand.
std::string repaired(std::string_view text) {
  auto out = std::string{};
  for (auto at = size_t{0}; at < text.size();) {
    auto step = step_utf8(text, at);
    if (step.state == utf8_state::whole)
      out += text.substr(at, step.size);
    else
      out += "\uFFFD";
    at += step.size;
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (auto at = size_t{0}; at < text.size();) {
    auto step = step_utf8(text, at);
    if (step.state != utf8_state::whole)
      return false;
    at += step.size;
  }
  return true;
}

std::string streamed(stream_decoder& s, const test::token_ids& ids) {
  auto out = std::string{};
  for (auto id : ids) {
    auto more = s.push(id);
    BOOST_TEST(is_utf8(more));
    out += more;
  }
  return out + s.finish();
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_stream_decoder)

BOOST_AUTO_TEST_CASE(characters_are_held_until_they_are_whole) {
  auto t = make_tokenizer(test::small_bpe("gpt-2"));
  auto s = stream_decoder{t};
  BOOST_TEST(s.push('a') == "a");
  BOOST_TEST(s.push(0xF0) == "");
  BOOST_TEST(s.push(0x9F) == "");
  BOOST_TEST(s.push(0x99) == "");
  BOOST_TEST(s.push(0x82) == "\U0001F642");
  BOOST_TEST(s.push(0xE4) == "");
  BOOST_TEST(s.push('b') == "\uFFFDb");
  BOOST_TEST(s.push(0xE4) == "");
  BOOST_TEST(s.push(0xBD) == "");
  BOOST_TEST(s.finish() == "\uFFFD");
  BOOST_TEST(s.finish() == "");
}

BOOST_AUTO_TEST_CASE(maximal_subparts_as_unicode_has_them) {
  auto t = make_tokenizer(test::small_bpe("gpt-2"));
  // The Unicode Standard, tables 3-8 to 3-11: how many U+FFFD.
  for (auto& [bytes, expected] :
       std::vector<std::pair<std::string, std::string>>{
           {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", "????????A"},
           {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", "????????A"},
           {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", "?????A??B"},
           {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", "????A"}}) {
    auto wanted = std::string{};
    for (auto c : expected)
      wanted += c == '?' ? std::string{"\uFFFD"} : std::string(1, c);
    auto s = stream_decoder{t};
    BOOST_TEST(streamed(s, t->encode(bytes)) == wanted);
  }
}

BOOST_AUTO_TEST_CASE(streamed_equals_whole) {
  auto d = test::dice{31};
  auto bpe = make_tokenizer(test::small_bpe("gpt-2"));
  auto spm = make_tokenizer(test::small_spm());
  for (auto& t : {bpe, spm})
    for (auto round = 0; round < 2000; ++round) {
      auto ids = test::token_ids(d.roll(20));
      for (auto& id : ids) // some out of range
        id = static_cast<token_id>(d.roll(t->size() + 2)) - 1;
      if (round % 2) // characters of several tokens
        ids = t->encode(test::random_bytes(d, 10));
      auto s = stream_decoder{t};
      BOOST_REQUIRE(streamed(s, ids) == repaired(t->decode(ids)));
    }
}

BOOST_AUTO_TEST_CASE(spm_drops_the_leading_space_of_a_text) {
  auto t = make_tokenizer(test::small_spm());
  auto ids = t->encode("hello hello", {.add_special = true});
  auto whole = stream_decoder{t};
  BOOST_TEST(streamed(whole, ids) == "hello hello");
  auto rest = stream_decoder{t, true};
  BOOST_TEST(streamed(rest, ids) == " hello hello");
}

BOOST_AUTO_TEST_CASE(control_tokens_are_no_text) {
  auto t = make_tokenizer(test::small_bpe("gpt-2"));
  auto s = stream_decoder{t};
  BOOST_TEST(s.push(t->vocab().eos) == "");
  BOOST_TEST(s.push(-1) == "");
  BOOST_TEST(s.push('x') == "x");
}

BOOST_AUTO_TEST_SUITE_END()
