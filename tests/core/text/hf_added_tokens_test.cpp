#include "core/text/hf_added_tokens.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "tests/core/text/make_tokenizer.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

vocabulary two_tokens() {
  auto v = vocabulary{};
  v.model = "llama";
  v.tokens = {"<unk>", "a"};
  v.kinds = {token_kind::unknown, token_kind::normal};
  v.scores = {0.f, -1.f};
  return v;
}

hf_added_token added(token_id id, std::string content, bool special) {
  auto token = hf_added_token{};
  token.id = id;
  token.content = std::move(content);
  token.special = special;
  return token;
}

void refuse(const std::vector<hf_added_token>& list, errc code,
            std::string_view message) {
  auto v = two_tokens();
  auto done = add_tokens(list, v);
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.failure().code == code));
  BOOST_TEST(done.failure().message == message);
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_hf_added_tokens)

BOOST_AUTO_TEST_CASE(fields_have_defaults) {
  auto token = parse_added_token({{"content", "<x>"}, {"rstrip", true}}, 7);
  BOOST_REQUIRE(token.ok());
  BOOST_TEST(token->id == 7);
  BOOST_TEST(token->content == "<x>");
  BOOST_TEST((token->rstrip && token->normalized));
  BOOST_TEST((!token->special && !token->lstrip && !token->single_word));
  token = parse_added_token({{"content", "<x>"}, {"special", true}}, 7);
  BOOST_REQUIRE(token.ok());
  BOOST_TEST(!token->normalized);
}

BOOST_AUTO_TEST_CASE(a_token_has_a_content_and_an_id) {
  for (auto& [from, id] : {std::pair{json{{"content", "x"}}, -1},
                           {json::object(), 1},
                           {json{{"content", 3}}, 1},
                           {json(7), 1},
                           {json::array(), 1}}) {
    auto token = parse_added_token(from, id);
    BOOST_REQUIRE(!token.ok());
    BOOST_TEST((token.failure().code == errc::bad_file));
    BOOST_TEST(token.failure().message
               == "an added token has no content or no id");
  }
}

BOOST_AUTO_TEST_CASE(gaps_are_unused) {
  auto v = two_tokens();
  BOOST_REQUIRE(
      add_tokens({added(4, "<tool>", false), added(3, "<x>", true)}, v).ok());
  BOOST_TEST(v.tokens == (test::strings{"<unk>", "a", "", "<x>", "<tool>"}));
  BOOST_TEST(v.scores.size() == 5u);
  BOOST_TEST((v.kinds
              == std::vector{token_kind::unknown, token_kind::normal,
                             token_kind::unused, token_kind::control,
                             token_kind::user_defined}));
}

BOOST_AUTO_TEST_CASE(those_of_the_model_keep_their_kind) {
  auto v = two_tokens();
  BOOST_REQUIRE(
      add_tokens({added(0, "<unk>", true), added(1, "a", false)}, v).ok());
  BOOST_TEST((v.kinds[0] == token_kind::unknown));
  BOOST_TEST((v.kinds[1] == token_kind::user_defined));
}

BOOST_AUTO_TEST_CASE(contradictions_are_refused) {
  refuse({added(1, "b", true)}, errc::bad_file,
         "the added token \"b\" has the id 1 of \"a\"");
  refuse({added(1 << 22, "b", true)}, errc::bad_file,
         "the added token \"b\" has id 4194304");
  auto word = added(2, "b", false);
  word.single_word = true;
  refuse({word}, errc::unsupported,
         "the added token \"b\" is read only as a word");
}

BOOST_AUTO_TEST_CASE(spellings_of_control_tokens) {
  for (auto text : {"<|im_end|>", "<｜User｜>", "</s>", "<end_of_turn>"})
    BOOST_TEST(looks_special(text));
  for (auto text : {"", "<||>", "<|", "|>", "<tool_call>", "<|a|> "})
    BOOST_TEST(!looks_special(text));
}

BOOST_AUTO_TEST_SUITE_END()
