#include "core/text/tokenizer.hpp"

#include <cmath>
#include <functional>
#include <limits>

#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/small_vocabulary.hpp"

using namespace troupe;
using test::make_tokenizer;
using ids = test::token_ids;

namespace {

using change = std::function<void(vocabulary&)>;

void refuse(vocabulary v, const change& spoil, errc code,
            std::string_view reason) {
  spoil(v);
  auto made = tokenizer::make(std::move(v));
  BOOST_REQUIRE_MESSAGE(!made.ok(), "accepted; wanted: " << reason);
  auto& e = made.failure();
  BOOST_TEST((e.code == code));
  BOOST_TEST(e.message.find(reason) != std::string::npos,
             e.message << " is not about: " << reason);
  for (auto c : e.message)
    BOOST_TEST((c >= ' ' && c <= '~'));
}

void refuse_bpe(const change& spoil, std::string_view reason) {
  refuse(test::small_bpe("qwen2"), spoil, errc::bad_file, reason);
}

void refuse_spm(const change& spoil, std::string_view reason) {
  refuse(test::small_spm(), spoil, errc::bad_file, reason);
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_tokenizer)

BOOST_AUTO_TEST_CASE(what_is_not_implemented_is_refused) {
  auto v = test::small_bpe("qwen2");
  refuse(
      v, [](auto& x) { x.model = "bert\n"; }, errc::unsupported, "bert");
  refuse(
      v, [](auto& x) { x.pre = "no-such"; }, errc::unsupported, "no-such");
}

BOOST_AUTO_TEST_CASE(what_contradicts_itself_is_refused) {
  using v = vocabulary;
  refuse_bpe([](v& x) { x.tokens.clear(); }, "no tokens");
  refuse_bpe([](v& x) { x.kinds.pop_back(); }, "token types for");
  refuse_bpe([](v& x) { x.kinds[3] = token_kind{0}; }, "has type 0");
  refuse_bpe([](v& x) { x.kinds[3] = token_kind{7}; }, "has type 7");
  refuse_bpe([](v& x) { x.scores = {1, 2}; }, "scores for");
  refuse_bpe([](v& x) { x.tokens.back().assign(5000, 'x'); }, "bytes long");
  refuse_bpe([](v& x) { x.tokens.back() = ""; }, "is empty");
  refuse_bpe([](v& x) { x.tokens.back() = x.tokens[65]; }, "are both \"A\"");
  refuse_bpe([](v& x) { x.tokens[65] = "AAA"; }, "no token for the byte 65");
  refuse_bpe([](v& x) { x.kinds[65] = token_kind::control; },
             "no token for the byte 65");
  refuse_bpe([](v& x) { x.eos = static_cast<token_id>(x.tokens.size()); },
             "eos is");
  refuse_bpe([](v& x) { x.bos = std::numeric_limits<token_id>::max(); },
             "bos is");
  refuse_bpe([](v& x) { x.eot = 100000; }, "eot is");
  refuse_bpe([](v& x) { x.unk = 100000; }, "unk is");
  refuse_bpe([](v& x) { x.pad = 100000; }, "pad is");
  refuse_bpe([](v& x) { x.add_bos = true; }, "names none");
  refuse_bpe([](v& x) { x.add_eos = true, x.eos = -1; }, "names none");
  refuse_bpe([](v& x) { x.chat_template.assign(2 << 20, ' '); }, "template");
}

BOOST_AUTO_TEST_CASE(merges_are_checked) {
  using v = vocabulary;
  for (auto line : {"", "ab", "a b c", "a  b"})
    refuse_bpe([&](v& x) { x.merges.push_back(line); }, "not two tokens");
  for (auto line : {" ", "a ", " b"})
    refuse_bpe([&](v& x) { x.merges.push_back(line); }, "no token");
  refuse_bpe([](v& x) { x.merges.push_back("q zz"); }, "no token");
  refuse_bpe([](v& x) { x.merges.push_back("q z"); }, "no token");
  refuse_bpe([](v& x) { x.merges.push_back(x.merges[0]); }, "twice");
  refuse_bpe(
      [](v& x) {
        test::add_token(x, "qz", token_kind::control);
        x.merges.push_back("q z");
      },
      "special token");
}

BOOST_AUTO_TEST_CASE(spm_vocabularies_are_checked) {
  using v = vocabulary;
  refuse_spm([](v& x) { x.scores.clear(); }, "no scores");
  refuse_spm([](v& x) { x.scores[4] = NAN; }, "score");
  refuse_spm([](v& x) { x.scores[4] = INFINITY; }, "score");
  refuse_spm([](v& x) { x.tokens[3 + 65] = "byte"; }, "byte token 68");
  refuse_spm(
      [](v& x) { x.tokens[3 + 0x4A] = "<0x4a>", x.tokens[3] = "<0x4A>"; },
      "are both the byte 74");
  refuse_spm([](v& x) { x.kinds[3 + 65] = token_kind::normal; },
             "255 of 256 byte tokens");
  for (auto unk : {-1, 0})
    refuse(
        test::small_spm(false),
        [&](v& x) { x.unk = unk, x.kinds[0] = token_kind::control; },
        errc::bad_file, "neither byte tokens nor an unknown token");
}

BOOST_AUTO_TEST_CASE(unused_tokens_may_be_empty_or_alike) {
  auto v = test::small_bpe("gpt-2");
  test::add_token(v, "", token_kind::unused);
  test::add_token(v, "", token_kind::unused);
  test::add_token(v, "A", token_kind::unused);
  auto t = make_tokenizer(v);
  BOOST_TEST(t->find("A").value() == 65);
  BOOST_TEST(!t->find(""));
}

BOOST_AUTO_TEST_CASE(kinds_are_inferred_where_a_file_has_none) {
  auto v = test::small_spm();
  auto wanted = make_tokenizer(v);
  v.kinds.clear();
  auto t = make_tokenizer(v);
  BOOST_TEST(t->is_control(1));
  BOOST_TEST(t->is_control(2));
  BOOST_TEST(!t->is_control(0));
  BOOST_TEST(t->encode("hello \xFF</s>") == wanted->encode("hello \xFF</s>"));
}

BOOST_AUTO_TEST_CASE(beginning_and_end_where_the_vocabulary_says_so) {
  auto v = test::small_bpe("gpt-2");
  v.bos = v.eos + 1;
  auto o = encode_options{.add_special = true};
  BOOST_TEST(make_tokenizer(v)->encode("A", o) == (ids{65}));
  v.add_bos = v.add_eos = true;
  auto t = make_tokenizer(v);
  BOOST_TEST(t->encode("A", o) == (ids{v.bos, 65, v.eos}));
  BOOST_TEST(t->encode("", o) == (ids{v.bos, v.eos}));
  BOOST_TEST(t->encode("A") == (ids{65}));
}

BOOST_AUTO_TEST_CASE(end_tokens_are_eos_eot_and_well_known_control_tokens) {
  auto v = test::small_bpe("gpt-2");
  v.eot = 65; // even if it is an ordinary one
  test::add_token(v, "<|eot_id|>", token_kind::user_defined);
  auto t = make_tokenizer(v);
  BOOST_TEST(t->end_tokens()
             == (ids{65, v.eos, t->find("<|im_end|>").value()}));
  for (auto id = token_id{-2}; id < static_cast<token_id>(t->size()) + 2; ++id)
    BOOST_TEST(t->is_end(id) == (id == 65 || id == v.eos || id == v.eos + 2));
}

BOOST_AUTO_TEST_CASE(ids_out_of_range_are_nothing) {
  auto t = make_tokenizer(test::small_spm());
  auto n = static_cast<token_id>(t->size());
  BOOST_TEST(t->decode(ids{-1, n, std::numeric_limits<token_id>::min(),
                           std::numeric_limits<token_id>::max()})
             == "");
  BOOST_TEST(!t->is_control(-1));
  BOOST_TEST(!t->is_control(n));
}

BOOST_AUTO_TEST_CASE(control_tokens_show_when_asked) {
  auto t = make_tokenizer(test::small_spm());
  auto got = t->encode("hello", {.add_special = true});
  BOOST_TEST(t->decode(got) == "hello");
  BOOST_TEST(t->decode(got, true) == "<s>hello");
}

BOOST_AUTO_TEST_SUITE_END()
