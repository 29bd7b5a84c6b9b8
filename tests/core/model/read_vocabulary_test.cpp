#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "tests/core/model/check_refused.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

result<vocabulary> vocabulary_of(const gguf_writer& f) {
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "bad.gguf");
  BOOST_REQUIRE(file);
  return read_vocabulary(*file);
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_vocabulary)

BOOST_AUTO_TEST_CASE(lists_must_match) {
  check_refused([](auto& f) { f.remove("tokenizer.ggml.model"); },
                "metadata key tokenizer.ggml.model is missing");
  check_refused([](auto& f) { f.remove("tokenizer.ggml.tokens"); },
                "metadata key tokenizer.ggml.tokens is missing");
  check_refused([](auto& f) { f.put_strings("tokenizer.ggml.tokens", {}); },
                "tokenizer.ggml.tokens has 0 tokens, not from 1 to 16777216");
  check_refused([](auto& f) { f.put_u32("tokenizer.ggml.tokens", 300); },
                "metadata key tokenizer.ggml.tokens has type u32, expected "
                "array of string");
  check_refused(
      [](auto& f) {
        f.put_ints("tokenizer.ggml.token_type", std::vector<int32_t>(299, 1));
      },
      "tokenizer.ggml.token_type has 299 entries, expected 300 as "
      "tokenizer.ggml.tokens");
  check_refused(
      [](auto& f) {
        f.put_floats("tokenizer.ggml.scores", std::vector<float>(301, 1.f));
      },
      "tokenizer.ggml.scores has 301 entries, expected 300 as "
      "tokenizer.ggml.tokens");
  // The list against the rows of the embedding.
  check_refused(
      [](auto& f) {
        f.put_strings("tokenizer.ggml.tokens",
                      std::vector<std::string>(299, "x"));
        f.remove("tokenizer.ggml.token_type");
        f.remove("llama.vocab_size");
      },
      "tensor token_embd.weight has shape 64 x 300, expected 64 x 299");
}

BOOST_AUTO_TEST_CASE(kinds_and_ids_are_in_range) {
  for (auto kind : {0, 7, -1})
    check_refused(
        [&](auto& f) {
          auto kinds = std::vector<int32_t>(300, 1);
          kinds[5] = kind;
          f.put_ints("tokenizer.ggml.token_type", kinds);
        },
        "tokenizer.ggml.token_type has " + std::to_string(kind)
            + " at 5, not from 1 to 6");
  for (auto key : {"bos_token_id", "eos_token_id", "eot_token_id",
                   "unknown_token_id", "padding_token_id"})
    check_refused(
        [&](auto& f) { f.put_u32(std::string{"tokenizer.ggml."} + key, 300); },
        std::string{"tokenizer.ggml."} + key
            + " is 300, but there are 300 tokens");
}

BOOST_AUTO_TEST_CASE(what_files_leave_out) {
  auto f = gguf_writer{};
  f.put_string("tokenizer.ggml.model", "llama");
  f.put_strings("tokenizer.ggml.tokens",
                std::vector<std::string>{"<unk>", "<s>", "</s>", "a"});
  auto v = vocabulary_of(f);
  BOOST_REQUIRE(v);
  BOOST_TEST(v->add_bos);
  BOOST_TEST(v->add_space_prefix);
  BOOST_TEST(v->bos == 1);
  BOOST_TEST(v->eos == 2);
  BOOST_TEST(v->unk == 0);
  BOOST_TEST(v->pad == -1);
  f.put_bool("tokenizer.ggml.add_bos_token", false);
  f.put_i32("tokenizer.ggml.eos_token_id", -1);
  f.put_u32("tokenizer.ggml.unknown_token_id", 0xffffffff);
  v = vocabulary_of(f);
  BOOST_REQUIRE(v);
  BOOST_TEST(!v->add_bos);
  BOOST_TEST(v->eos == -1);
  BOOST_TEST(v->unk == -1);
  f.put_string("tokenizer.ggml.model", "gpt2");
  f.remove("tokenizer.ggml.add_bos_token");
  f.put_string("tokenizer.ggml.pre", "llama-bpe");
  v = vocabulary_of(f);
  BOOST_REQUIRE(v);
  BOOST_TEST(v->add_bos);
  BOOST_TEST(v->bos == -1);
}

BOOST_AUTO_TEST_CASE(any_architecture_will_do) {
  auto f = gguf_writer{};
  f.put_string("general.architecture", "mamba");
  add_tiny_vocabulary(f);
  auto v = vocabulary_of(f);
  BOOST_REQUIRE(v);
  BOOST_TEST(v->tokens.size() == 300u);
  BOOST_TEST(v->merges.size() == 41u);
  BOOST_TEST((v->kinds[0] == token_kind::control));
  BOOST_TEST((v->kinds[3] == token_kind::normal));
  BOOST_TEST(v->chat_template.find("<|im_start|>") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
