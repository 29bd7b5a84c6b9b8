#include "core/text/spm_tokenizer.hpp"

#include <algorithm>
#include <map>

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/random_text.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;
using test::dice;
using test::make_tokenizer;
using test::strings;
using ids = test::token_ids;

namespace {

const auto space = std::string{"\u2581"};

strings spellings(const tokenizer& t, std::string_view text) {
  auto out = strings{};
  for (auto id : t.encode(text))
    out.push_back(t.vocab().tokens[static_cast<size_t>(id)]);
  return out;
}

// The plain twin for vocabularies of normal and byte tokens: of all the
// neighbours that spell a token, the best (then leftmost) are joined.
strings naive(const tokenizer& t, const std::string& text) {
  auto& v = t.vocab();
  auto score = std::map<std::string, float>{};
  for (auto i = size_t{0}; i < v.tokens.size(); ++i)
    if (v.kinds[i] == token_kind::normal)
      score[v.tokens[i]] = v.scores[i];
  auto parts = strings{};
  if (v.add_space_prefix && !text.empty())
    parts.push_back(space);
  for (auto at = size_t{0}; at < text.size();) {
    auto step = step_utf8(text, at);
    auto size = step.state == utf8_state::whole ? step.size : 1u;
    parts.push_back(text[at] == ' ' ? space : text.substr(at, size));
    at += size;
  }
  for (;;) {
    auto best = score.end();
    auto where = size_t{0};
    for (auto i = size_t{0}; i + 1 < parts.size(); ++i) {
      auto found = score.find(parts[i] + parts[i + 1]);
      if (found != score.end()
          && (best == score.end() || found->second > best->second)) {
        best = found;
        where = i;
      }
    }
    if (best == score.end())
      break;
    parts[where] += parts[where + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(where) + 1);
  }
  auto out = strings{};
  for (auto& part : parts) {
    if (score.count(part)) {
      out.push_back(part);
      continue;
    }
    for (auto c : part)
      out.push_back(v.tokens[3 + static_cast<uint8_t>(c)]);
  }
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_spm)

BOOST_AUTO_TEST_CASE(merges_by_hand) {
  auto t = make_tokenizer(test::small_spm());
  BOOST_TEST(spellings(*t, "hello world") == (strings{"▁hello", "▁world"}));
  // Two spaces score better than "the", without which there is no "▁the".
  BOOST_TEST(spellings(*t, " the") == (strings{"▁▁", "the"}));
  BOOST_TEST(spellings(*t, "é\n") == (strings{"▁", "é", "<0x0A>"}));
  BOOST_TEST(spellings(*t, "").empty());
  BOOST_TEST(t->encode("the", {.add_special = true}).front() == 1);
}

BOOST_AUTO_TEST_CASE(without_a_space_prefix) {
  auto v = test::small_spm();
  v.add_space_prefix = false;
  auto t = make_tokenizer(v);
  BOOST_TEST(spellings(*t, "hello the") == (strings{"hello", "▁the"}));
  BOOST_TEST(t->decode(t->encode(" the")) == " the");
}

BOOST_AUTO_TEST_CASE(merging_equals_its_plain_twin) {
  auto d = dice{51};
  for (auto round = 0; round < 40; ++round) {
    auto letters = strings{"a", "b", "é", space};
    auto all = letters;
    for (auto i = 0; i < 40; ++i) {
      auto text = all[d.roll(all.size())] + all[d.roll(all.size())];
      // In every other round no token has a space inside it.
      auto inner = text.find(space, 1) != text.npos
                   && text.find_first_not_of(space) < text.rfind(space);
      if (text.size() <= 16 && !std::count(all.begin(), all.end(), text)
          && !(inner && round % 2))
        all.push_back(text);
    }
    for (auto i = all.size(); i > 1; --i)
      std::swap(all[i - 1], all[d.roll(i)]);
    auto v = test::small_spm(true, all);
    for (auto& score : v.scores) // some the same
      if (d.roll(3) == 0)
        score = -5;
    auto t = make_tokenizer(v);
    for (auto i = 0; i < 60; ++i) {
      auto text = std::string{};
      for (auto n = d.roll(40); n > 0; --n)
        text += strings{"a", "b", "a", "é", " ", " ", "z", "\xC3"}[d.roll(8)];
      BOOST_TEST_CONTEXT(quoted(text, 1000))
      BOOST_TEST(spellings(*t, text) == naive(*t, text),
                 boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  auto d = dice{52};
  for (auto prefix : {false, true}) {
    auto v = test::small_spm();
    v.add_space_prefix = prefix;
    auto t = make_tokenizer(v);
    for (auto i = 0; i < 3000; ++i) {
      auto text = test::random_bytes(d, d.roll(20));
      if (text.find(space) != text.npos)
        continue; // stands for a space
      BOOST_REQUIRE_MESSAGE(t->decode(t->encode(text)) == text,
                            quoted(text, 1000));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_megabyte_is_not_quadratic) {
  auto t =
      make_tokenizer(test::small_spm(true, {"xxxx", "xx", "x", "▁▁", "▁"}));
  for (auto c : {'x', ' ', 'q', '\xFF'}) {
    auto text = std::string(1 << 19, c);
    BOOST_TEST((t->decode(t->encode(text)) == text));
  }
}

BOOST_AUTO_TEST_CASE(without_byte_tokens_a_run_is_one_unknown) {
  auto t = make_tokenizer(test::small_spm(false));
  BOOST_TEST(spellings(*t, "hello 你QQ\xFFhello")
             == (strings{"▁hello", "▁", "你", "<unk>", "hello"}));
  BOOST_TEST(t->decode(t->encode("Q")) == " \u2047 ");
}

BOOST_AUTO_TEST_CASE(control_tokens_come_only_of_parse_special) {
  auto t = make_tokenizer(test::small_spm());
  for (auto id : t->encode("</s><s><unk><0x0A>")) {
    BOOST_TEST(!t->is_control(id));
    BOOST_TEST(id != 0);
    BOOST_TEST(id != 3 + 0x0A);
  }
  // After one of them a text begins anew.
  BOOST_TEST(t->encode("hello</s>hello", {.parse_special = true})
             == (ids{t->find("▁hello").value(), 2, t->find("▁hello").value()}));
}

BOOST_AUTO_TEST_CASE(user_defined_tokens_are_always_read) {
  auto v = test::small_spm();
  test::add_token(v, "▁▁▁", token_kind::user_defined);
  test::add_token(v, "x x", token_kind::user_defined);
  auto t = make_tokenizer(v);
  BOOST_TEST(spellings(*t, "<sep>hello<sep>")
             == (strings{"▁", "<sep>", "hello", "<sep>"}));
  BOOST_TEST(spellings(*t, "  hello x x")
             == (strings{"▁▁▁", "hello", "▁", "x x"}));
  BOOST_TEST(t->decode(t->encode("a x x<sep>")) == "a x x<sep>");
}

BOOST_AUTO_TEST_CASE(unused_tokens_fall_apart_again) {
  auto v = test::small_spm();
  auto hell = static_cast<size_t>(make_tokenizer(v)->find("▁hello").value());
  v.kinds[hell] = token_kind::unused;
  auto t = make_tokenizer(v);
  BOOST_TEST(spellings(*t, "hello") == (strings{"▁", "hello"}));
}

BOOST_AUTO_TEST_SUITE_END()
