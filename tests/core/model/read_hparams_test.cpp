#include <cmath>

#include "core/model/read_parts.hpp"
#include "tests/core/model/check_refused.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

result<hparams> hparams_after(const std::function<void(gguf_writer&)>& change) {
  auto f = tiny_model_file();
  change(f);
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  return read_hparams(*file, **read_architecture(*file), tiny_vocab_size);
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_hparams)

BOOST_AUTO_TEST_CASE(other_architectures_are_named) {
  check_refused(
      [](auto& f) { f.put_string("general.architecture", "mamba"); },
      "architecture \"mamba\"; this build implements llama, qwen2, qwen3, "
      "qwen3moe, phi3, deepseek2, gemma2, gemma3",
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

BOOST_AUTO_TEST_CASE(linear_rope_scaling) {
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
      [](auto& f) { f.put_string("llama.rope.scaling.type", "longrope"); },
      "llama.rope.scaling.type is \"longrope\"; this build implements none, "
      "linear, llama3 and yarn",
      errc::unsupported);
  check_refused(
      [](auto& f) { f.put_string("llama.rope.scaling.type", "linear"); },
      "metadata key llama.rope.scaling.factor is missing");
  check_refused([](auto& f) { f.put_f32("llama.rope.scaling.factor", 0.f); },
                "llama.rope.scaling.factor is 0, not a positive number");
  check_refused([](auto& f) { f.put_f32("llama.rope.scaling.factor", 1e-45f); },
                "llama.rope.scaling.factor is out of range");
}

BOOST_AUTO_TEST_CASE(yarn_rope_scaling) {
  auto key = [](const char* name) {
    return std::string{"llama.rope.scaling."} + name;
  };
  auto yarn = [&](gguf_writer& f) {
    f.put_string(key("type"), "yarn");
    f.put_f32(key("factor"), 4.f);
  };
  auto p = hparams_after(yarn);
  BOOST_REQUIRE(p);
  BOOST_TEST(p->rope_scale == 1.f);
  BOOST_TEST(p->yarn.factor == 4.f);
  BOOST_TEST(p->yarn.original_context == 256u); // the context, if not given
  BOOST_TEST(p->yarn.beta_fast == 32.f);
  BOOST_TEST(p->yarn.beta_slow == 1.f);
  BOOST_TEST(std::abs(p->rope_magnitude - 1.1386294f) < 1e-6f);
  p = hparams_after([&](auto& f) {
    yarn(f);
    f.put_u32(key("original_context_length"), 64);
    f.put_f32(key("attn_factor"), 2.f);
    f.put_f32(key("yarn_beta_fast"), 16.f);
    f.put_f32(key("yarn_beta_slow"), 2.f);
    f.put_bool(key("finetuned"), true);
  });
  BOOST_REQUIRE(p);
  BOOST_TEST(p->yarn.original_context == 64u);
  BOOST_TEST(p->yarn.beta_fast == 16.f);
  BOOST_TEST(p->yarn.beta_slow == 2.f);
  BOOST_TEST(std::abs(p->rope_magnitude - 2.2772588f) < 1e-6f);
  auto refused = [&](auto change, const std::string& reason,
                     errc code = errc::bad_file) {
    check_refused(
        [&](auto& f) {
          yarn(f);
          change(f);
        },
        reason, code);
  };
  refused([&](auto& f) { f.remove(key("factor")); },
          "metadata key llama.rope.scaling.factor is missing");
  refused([&](auto& f) { f.put_f32(key("factor"), 0.5f); },
          "llama.rope.scaling.factor is less than 1, which yarn cannot be");
  refused([&](auto& f) { f.put_u32(key("original_context_length"), 0); },
          "llama.rope.scaling.original_context_length is 0, not from 1 to "
          "16777216");
  refused([&](auto& f) { f.put_f32(key("attn_factor"), 3e38f); },
          "llama.rope.scaling.attn_factor is out of range");
  refused([&](auto& f) { f.put_f32("llama.rope.freq_base", 1.f); },
          "llama.rope.freq_base is not more than 1, which yarn needs");
  refused([&](auto& f) { f.put_f32(key("yarn_log_multiplier"), 0.1f); },
          "llama.rope.scaling.yarn_log_multiplier is 0.1, which this build "
          "does not implement",
          errc::unsupported);
}

BOOST_AUTO_TEST_CASE(llama3_rope_scaling_is_a_tensor) {
  auto scaled = [](auto& f) {
    f.put_string("llama.rope.scaling.type", "llama3");
  };
  check_refused(scaled, "tensor rope_freqs.weight is missing, which "
                        "llama.rope.scaling.type \"llama3\" needs");
  auto o = tiny_model_options{};
  o.rope_factors = true;
  auto f = tiny_model_file(o);
  scaled(f);
  BOOST_TEST(model_refusal(f).message == "");
}

BOOST_AUTO_TEST_CASE(keys_that_would_change_the_computation) {
  check_refused([](auto& f) { f.put_f32("llama.logit_scale", 0.5f); },
                "llama.logit_scale is 0.5, which this build does not implement",
                errc::unsupported);
  check_refused([](auto& f) { f.put_bool("llama.attention.causal", false); },
                "llama.attention.causal is false, which this build does not "
                "implement",
                errc::unsupported);
  check_refused([](auto& f) { f.put_string("llama.logit_scale", "no"); },
                "llama.logit_scale is \"no\", which this build does not "
                "implement",
                errc::unsupported);
  BOOST_TEST(hparams_after([](auto& f) {
               f.put_f32("llama.logit_scale", 1.f);
               f.put_bool("llama.attention.causal", true);
             }).ok());
}

BOOST_AUTO_TEST_SUITE_END()
