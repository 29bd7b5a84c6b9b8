#include "core/model/read_parts.hpp"

#include <cmath>
#include <functional>

#include <boost/test/unit_test.hpp>

#include "core/model/model.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

void check_refused(const std::function<void(gguf_writer&)>& spoil,
                   const std::string& reason, errc code = errc::bad_file) {
  auto f = tiny_model_file();
  spoil(f);
  auto e = model_refusal(f);
  BOOST_TEST(to_string(e.code) == to_string(code));
  BOOST_TEST(e.message == "bad.gguf: " + reason);
}

result<hparams> hparams_after(const std::function<void(gguf_writer&)>& change) {
  auto f = tiny_model_file();
  change(f);
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  return read_hparams(*file, **read_architecture(*file), tiny_vocab_size);
}

result<vocabulary> vocabulary_of(const gguf_writer& f) {
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "bad.gguf");
  BOOST_REQUIRE(file);
  return read_vocabulary(*file);
}

} // namespace

// -- hparams -----------------------------------------------------------------

BOOST_AUTO_TEST_SUITE(read_hparams_)

BOOST_AUTO_TEST_CASE(other_architectures_are_named) {
  check_refused([](auto& f) { f.put_string("general.architecture", "mamba"); },
                "architecture \"mamba\"; this build implements llama",
                errc::unsupported);
  check_refused([](auto& f) { f.remove("general.architecture"); },
                "metadata key general.architecture is missing");
  check_refused([](auto& f) { f.put_u32("general.architecture", 1); },
                "metadata key general.architecture has type u32, expected "
                "string");
}

BOOST_AUTO_TEST_CASE(keys_that_must_be_there) {
  for (auto key : {"block_count", "context_length", "embedding_length",
                   "feed_forward_length", "attention.head_count",
                   "attention.layer_norm_rms_epsilon"})
    check_refused([&](auto& f) { f.remove(std::string{"llama."} + key); },
                  std::string{"metadata key llama."} + key + " is missing");
}

BOOST_AUTO_TEST_CASE(keys_that_may_be_absent) {
  auto p = hparams_after([](auto& f) {
    f.remove("general.name");
    f.remove("llama.attention.head_count_kv");
    f.remove("llama.rope.dimension_count");
    f.remove("llama.rope.freq_base");
    f.remove("llama.vocab_size");
  });
  BOOST_REQUIRE(p);
  BOOST_TEST(p->kv_heads == 4u);
  BOOST_TEST(p->rope_dim == 16u);
  BOOST_TEST(p->rope_base == 10000.f);
  BOOST_TEST(p->rope_scale == 1.f);
}

BOOST_AUTO_TEST_CASE(keys_of_a_wrong_type) {
  for (auto key : {"llama.block_count", "llama.attention.head_count_kv",
                   "llama.rope.dimension_count", "llama.vocab_size"}) {
    check_refused([&](auto& f) { f.put_string(key, "2"); },
                  std::string{"metadata key "} + key
                      + " has type string, expected an integer");
    check_refused([&](auto& f) { f.put_f32(key, 2.f); },
                  std::string{"metadata key "} + key
                      + " has type f32, expected an integer");
  }
  check_refused([](auto& f) { f.put_u32("llama.rope.freq_base", 10000); },
                "metadata key llama.rope.freq_base has type u32, expected f32");
  check_refused([](auto& f) { f.put_u32("general.name", 1); },
                "metadata key general.name has type u32, expected string");
  // Any integer type does.
  BOOST_TEST(
      hparams_after([](auto& f) { f.put_u64("llama.block_count", 2); }).ok());
}

BOOST_AUTO_TEST_CASE(absurd_numbers) {
  auto key = [](const char* name, int64_t x, const char* most) {
    check_refused([&](auto& f) { f.put_u64(name, static_cast<uint64_t>(x)); },
                  std::string{name} + " is " + std::to_string(x)
                      + ", not from 1 to " + most);
  };
  key("llama.context_length", 0, "16777216");
  key("llama.context_length", int64_t{1} << 32, "16777216");
  key("llama.embedding_length", 0, "1048576");
  key("llama.block_count", int64_t{1} << 40, "4096");
  key("llama.attention.head_count", 0, "65536");
  key("llama.attention.head_count_kv", 0, "65536");
  check_refused([](auto& f) { f.put_i32("llama.feed_forward_length", -96); },
                "llama.feed_forward_length is -96, not from 1 to 1048576");
  check_refused([](auto& f) { f.put_u64("llama.block_count", ~uint64_t{0}); },
                "metadata key llama.block_count is 18446744073709551615, out "
                "of the range of i64");
}

BOOST_AUTO_TEST_CASE(numbers_that_do_not_go_together) {
  check_refused([](auto& f) { f.put_u32("llama.attention.head_count_kv", 3); },
                "attention heads 4 are not a multiple of KV heads 3");
  check_refused([](auto& f) { f.put_u32("llama.attention.head_count_kv", 8); },
                "attention heads 4 are not a multiple of KV heads 8");
  check_refused(
      [](auto& f) {
        f.put_u32("llama.attention.head_count", 6);
        f.put_u32("llama.attention.head_count_kv", 6);
      },
      "width 64 is not a multiple of 6 attention heads");
  check_refused(
      [](auto& f) {
        f.put_u32("llama.attention.key_length", 15);
        f.put_u32("llama.attention.value_length", 15);
      },
      "head size 15 is odd");
  check_refused([](auto& f) { f.put_u32("llama.attention.value_length", 8); },
                "heads have 16 values in K but 8 in V", errc::unsupported);
  check_refused(
      [](auto& f) {
        f.put_u32("llama.attention.head_count", 65536);
        f.put_u32("llama.attention.key_length", 65536);
        f.put_u32("llama.attention.value_length", 65536);
      },
      "65536 heads of 65536 values are more than 1048576 in all");
  for (auto dim : {17u, 15u, 18u})
    check_refused(
        [&](auto& f) { f.put_u32("llama.rope.dimension_count", dim); },
        "llama.rope.dimension_count is " + std::to_string(dim)
            + ", not even and at most the head size 16");
  check_refused([](auto& f) { f.put_u32("llama.vocab_size", 301); },
                "llama.vocab_size is 301, but tokenizer.ggml.tokens has 300");
}

BOOST_AUTO_TEST_CASE(floats_that_make_no_sense) {
  for (auto key :
       {"llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon"}) {
    auto says = [&](float x, const std::string& text) {
      check_refused([&](auto& f) { f.put_f32(key, x); },
                    std::string{key} + " is " + text
                        + ", not a positive number");
    };
    says(0.f, "0");
    says(-1.f, "-1");
    says(INFINITY, "inf");
    says(NAN, "nan");
    check_refused([&](auto& f) { f.put_f64(key, 1e300); },
                  std::string{key} + " is 1e+300, not a positive number");
  }
}

BOOST_AUTO_TEST_CASE(linear_rope_scaling_and_no_other) {
  auto p = hparams_after([](auto& f) {
    f.put_string("llama.rope.scaling.type", "linear");
    f.put_f32("llama.rope.scaling.factor", 4.f);
  });
  BOOST_REQUIRE(p);
  BOOST_TEST(p->rope_scale == 0.25f);
  p = hparams_after([](auto& f) { f.put_f32("llama.rope.scale_linear", 2.f); });
  BOOST_REQUIRE(p);
  BOOST_TEST(p->rope_scale == 0.5f);
  p = hparams_after([](auto& f) {
    f.put_string("llama.rope.scaling.type", "none");
    f.put_f32("llama.rope.scaling.factor", 4.f);
  });
  BOOST_REQUIRE(p);
  BOOST_TEST(p->rope_scale == 1.f);
  check_refused(
      [](auto& f) { f.put_string("llama.rope.scaling.type", "yarn"); },
      "llama.rope.scaling.type is \"yarn\"; this build implements none and "
      "linear",
      errc::unsupported);
  check_refused(
      [](auto& f) { f.put_string("llama.rope.scaling.type", "linear"); },
      "metadata key llama.rope.scaling.factor is missing");
  check_refused([](auto& f) { f.put_f32("llama.rope.scaling.factor", 0.f); },
                "llama.rope.scaling.factor is 0, not a positive number");
  check_refused([](auto& f) { f.put_f32("llama.rope.scaling.factor", 1e-45f); },
                "llama.rope.scaling.factor is out of range");
}

BOOST_AUTO_TEST_CASE(keys_that_would_change_the_computation) {
  check_refused([](auto& f) { f.put_u32("llama.expert_count", 8); },
                "llama.expert_count is 8, which this build does not implement",
                errc::unsupported);
  check_refused([](auto& f) { f.put_f32("llama.logit_scale", 0.5f); },
                "llama.logit_scale is 0.5, which this build does not implement",
                errc::unsupported);
  check_refused([](auto& f) { f.put_bool("llama.attention.causal", false); },
                "llama.attention.causal is false, which this build does not "
                "implement",
                errc::unsupported);
  check_refused([](auto& f) { f.put_string("llama.expert_count", "no"); },
                "llama.expert_count is \"no\", which this build does not "
                "implement",
                errc::unsupported);
  BOOST_TEST(hparams_after([](auto& f) {
               f.put_u32("llama.expert_count", 0);
               f.put_f32("llama.logit_scale", 1.f);
               f.put_bool("llama.attention.causal", true);
             }).ok());
}

BOOST_AUTO_TEST_SUITE_END()

// -- weights -----------------------------------------------------------------

BOOST_AUTO_TEST_SUITE(read_weights_)

BOOST_AUTO_TEST_CASE(every_tensor_must_be_there) {
  auto whole = tiny_model_file();
  for (auto& t : whole.tensors) {
    if (t.name == "output.weight")
      continue; // tied
    auto f = whole;
    f.remove_tensor(t.name);
    auto e = model_refusal(f);
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(one_line_about(e));
    BOOST_TEST(e.message.find("tensor " + t.name + " is missing, expected ")
               != std::string::npos);
  }
  check_refused([](auto& f) { f.remove_tensor("blk.1.attn_k.weight"); },
                "tensor blk.1.attn_k.weight is missing, expected 64 x 32");
  check_refused([](auto& f) { f.put_u32("llama.block_count", 3); },
                "tensor blk.2.attn_norm.weight is missing, expected 64");
}

BOOST_AUTO_TEST_CASE(every_shape_must_fit) {
  auto whole = tiny_model_file();
  for (auto& t : whole.tensors) {
    auto f = whole;
    // As many values, otherwise laid out.
    auto& shape = f.at(t.name).shape;
    shape.insert(shape.begin(), 2);
    shape[1] /= 2;
    auto e = model_refusal(f);
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(one_line_about(e));
    BOOST_TEST(e.message.find("tensor " + t.name + " has shape ")
               != std::string::npos);
  }
  check_refused(
      [](auto& f) {
        f.at("blk.0.ffn_up.weight").shape = {96, 64};
      },
      "tensor blk.0.ffn_up.weight has shape 96 x 64, expected 64 x 96");
  check_refused([](auto& f) { f.at("output_norm.weight").shape = {32}; },
                "tensor output_norm.weight has shape 32, expected 64");
  check_refused(
      [](auto& f) {
        f.at("token_embd.weight").shape = {64, 299};
      },
      "tensor token_embd.weight has shape 64 x 299, expected "
      "64 x 300");
}

BOOST_AUTO_TEST_CASE(sizes_of_one_beyond_the_shape_are_fine) {
  auto f = tiny_model_file();
  f.at("output_norm.weight").shape = {64, 1, 1, 1};
  f.at("output.weight").shape = {64, 300, 1};
  BOOST_TEST(model_refusal(f).message == "");
  f.at("output.weight").shape = {64, 1, 300};
  BOOST_TEST(one_line_about(model_refusal(f)));
}

BOOST_AUTO_TEST_CASE(quantisations_that_are_not_computed_with) {
  check_refused([](auto& f) { f.at("output_norm.weight").type = 99; },
                "tensor output_norm.weight has type 99, expected F32, F16, "
                "BF16, Q8_0 or Q4_0",
                errc::unsupported);
  auto o = tiny_model_options{};
  o.hidden = 256;
  o.heads = 16;
  auto f = tiny_model_file(o);
  f.at("blk.0.attn_q.weight").type = 12;
  BOOST_TEST(model_refusal(f).message
             == "bad.gguf: tensor blk.0.attn_q.weight has type 12 (Q4_K), "
                "expected F32, F16, BF16, Q8_0 or Q4_0");
}

BOOST_AUTO_TEST_CASE(norms_of_any_dtype) {
  auto f = tiny_model_file();
  f.remove_tensor("output_norm.weight");
  f.add_tensor("output_norm.weight", {64}, dtype::bf16,
               std::vector<float>(64, 1.5f));
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
  BOOST_REQUIRE(m);
  BOOST_TEST((*m)->w.output_norm == std::vector<float>(64, 1.5f));
}

BOOST_AUTO_TEST_CASE(norms_and_factors_are_finite) {
  check_refused(
      [](auto& f) {
        auto values = std::vector<float>(64, 1.f);
        values[63] = NAN;
        f.remove_tensor("blk.1.ffn_norm.weight");
        f.add_tensor("blk.1.ffn_norm.weight", {64}, dtype::f32, values);
      },
      "tensor blk.1.ffn_norm.weight has infinities or NaN");
  check_refused(
      [](auto& f) {
        f.add_tensor("rope_freqs.weight", {8}, dtype::f32,
                     std::vector<float>(8, 0.f));
      },
      "tensor rope_freqs.weight has factors that are not positive");
  check_refused(
      [](auto& f) {
        f.add_tensor("rope_freqs.weight", {16}, dtype::f32,
                     std::vector<float>(16, 1.f));
      },
      "tensor rope_freqs.weight has shape 16, expected 8");
}

BOOST_AUTO_TEST_CASE(biases_come_together) {
  check_refused(
      [](auto& f) { f.add_zero_tensor("blk.0.attn_k.bias", {32}, dtype::f32); },
      "tensor blk.0.attn_q.bias is missing, expected 64");
}

BOOST_AUTO_TEST_CASE(tensors_that_would_be_ignored) {
  for (auto name : {"blk.0.attn_output.bias", "blk.7.attn_q.weight",
                    "output.bias", "blk.0.ffn_gate_inp.weight"})
    check_refused(
        [&](auto& f) { f.add_zero_tensor(name, {64}, dtype::f32); },
        std::string{"tensor "} + name
            + " has no place in this architecture as this build implements it",
        errc::unsupported);
  auto f = tiny_model_file();
  f.add_zero_tensor("hydra.0.weight", {64}, dtype::f32);
  f.add_zero_tensor("blk.0.attn_rot_embd.weight", {8}, dtype::f32);
  BOOST_TEST(model_refusal(f).message == "");
}

BOOST_AUTO_TEST_SUITE_END()

// -- vocabulary --------------------------------------------------------------

BOOST_AUTO_TEST_SUITE(read_vocabulary_)

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
