#include <cmath>

#include "core/model/read_parts.hpp"
#include "tests/core/model/check_refused.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using change = std::function<void(gguf_writer&)>;

tiny_model_options options(const std::string& architecture) {
  auto o = tiny_model_options{};
  o.architecture = architecture;
  o.latent = architecture == "deepseek2";
  o.post_norms = architecture.starts_with("gemma");
  o.qk_norm = architecture == "gemma3";
  o.layers = 7;
  return o;
}

void nothing(gguf_writer&) {}

hparams read(const std::string& architecture, const change& spoil = nothing) {
  auto f = tiny_model_file(options(architecture));
  spoil(f);
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  auto p = read_hparams(*file, **read_architecture(*file), tiny_vocab_size);
  BOOST_REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.failure().message));
  return *p;
}

void refused(const std::string& architecture, const change& spoil,
             const std::string& reason) {
  auto f = tiny_model_file(options(architecture));
  spoil(f);
  auto e = model_refusal(f);
  BOOST_TEST(to_string(e.code) == "bad_file");
  BOOST_TEST(e.message == "bad.gguf: " + reason);
}

using windows = std::vector<uint32_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(model_attention)

// -- windows, scales and caps -------------------------------------------------

BOOST_AUTO_TEST_CASE(a_window_holds_for_all_layers) {
  auto p = read("llama", [](auto& f) {
    f.put_u32("llama.attention.sliding_window", 255);
  });
  BOOST_TEST(p.windows == windows(7, 255));
  for (auto window : {0u, 256u, 4096u})
    BOOST_TEST(read("llama", [&](auto& f) {
                 f.put_u32("llama.attention.sliding_window", window);
               }).windows.empty());
  refused(
      "llama",
      [](auto& f) { f.put_string("llama.attention.sliding_window", "wide"); },
      "metadata key llama.attention.sliding_window has type string, expected "
      "an integer");
  refused(
      "llama", [](auto& f) { f.put_i32("llama.attention.sliding_window", -1); },
      "llama.attention.sliding_window is -1, not from 0 to 2147483647");
}

BOOST_AUTO_TEST_CASE(gemma_2_has_one_in_every_other_layer) {
  auto p = read("gemma2");
  BOOST_TEST(p.windows == (windows{4096, 0, 4096, 0, 4096, 0, 4096}));
  BOOST_TEST(p.local_rope_base == 0.f);
  BOOST_TEST(p.attention_softcap == 50.f);
  BOOST_TEST(p.logit_softcap == 30.f);
  BOOST_TEST(p.embedding_scale == 8.f);
  BOOST_TEST((p.gate == gate_function::gelu_tanh));
  BOOST_TEST(p.scale_of_scores() == 0.25f);
  p = read("gemma2", [](auto& f) {
    f.put_u32("gemma2.attention.sliding_window", 16);
    f.put_f32("gemma2.attn_logit_softcapping", 5.f);
    f.put_f32("gemma2.final_logit_softcapping", 0.f);
    f.put_f32("gemma2.attention.scale", 0.125f);
  });
  BOOST_TEST(p.windows == (windows{16, 0, 16, 0, 16, 0, 16}));
  BOOST_TEST(p.attention_softcap == 5.f);
  BOOST_TEST(p.logit_softcap == 0.f);
  BOOST_TEST(p.scale_of_scores() == 0.125f);
}

BOOST_AUTO_TEST_CASE(gemma_3_has_none_in_every_sixth_layer) {
  auto p = read("gemma3"); // without the key
  BOOST_TEST(p.windows.empty());
  BOOST_TEST(p.local_rope_base == 0.f);
  BOOST_TEST(p.logit_softcap == 0.f);
  // One over all of the context still says which layers are local.
  for (auto window : {16u, 512u}) {
    p = read("gemma3", [&](auto& f) {
      f.put_u32("gemma3.attention.sliding_window", window);
    });
    auto w = window;
    BOOST_TEST(p.windows == (windows{w, w, w, w, w, 0, w}));
    BOOST_TEST(p.local_rope_base == 10000.f);
  }
  p = read("gemma3", [](auto& f) {
    f.put_u32("gemma3.attention.sliding_window", 16);
    f.put_u32("gemma3.attention.sliding_window_pattern", 3);
    f.put_f32("gemma3.rope.freq_base_swa", 500.f);
  });
  BOOST_TEST(p.windows == (windows{16, 16, 0, 16, 16, 0, 16}));
  BOOST_TEST(p.local_rope_base == 500.f);
}

BOOST_AUTO_TEST_CASE(the_largest_gemmas_scale_by_the_width) {
  for (auto [name, layers] : {std::pair{"gemma2", 46u}, {"gemma3", 62u}}) {
    auto p = read(name, [&, at = std::string{name}, layers = layers](auto& f) {
      f.put_u32(at + ".block_count", layers);
      f.put_u32(at + ".attention.head_count", 1);
      f.put_u32(at + ".attention.head_count_kv", 1);
      f.put_u32(at + ".attention.key_length", 16);
      f.put_u32(at + ".attention.value_length", 16);
    });
    BOOST_TEST(p.scale_of_scores() == 1.f / 8);
  }
}

BOOST_AUTO_TEST_CASE(values_of_a_size_of_their_own) {
  auto p = read("llama",
                [](auto& f) { f.put_u32("llama.attention.value_length", 8); });
  BOOST_TEST(p.head_dim == 16u);
  BOOST_TEST(p.values_of_head() == 8u);
}

// -- latent attention ---------------------------------------------------------

BOOST_AUTO_TEST_CASE(sizes_of_latent_attention_under_either_name) {
  auto old = read("deepseek2");
  auto p = read("deepseek2", [](auto& f) {
    f.put_u32("deepseek2.attention.head_count_kv", 1);
    f.put_u32("deepseek2.attention.key_length", 32 + 8);
    f.put_u32("deepseek2.attention.value_length", 32);
    f.put_u32("deepseek2.attention.key_length_mla", 16);
    f.put_u32("deepseek2.attention.value_length_mla", 24);
  });
  for (auto& x : {old, p}) {
    BOOST_TEST(x.head_dim == 16u);
    BOOST_TEST(x.value_dim == 24u);
    BOOST_TEST(x.rope_dim == 8u);
    BOOST_TEST(x.kv_heads == 4u);
    BOOST_TEST(x.mla.kv_rank == 32u);
    BOOST_TEST(x.mla.q_rank == 0u);
    BOOST_TEST(x.scale_of_scores() == 0.25f);
  }
  p = read("deepseek2",
           [](auto& f) { f.put_u32("deepseek2.attention.q_lora_rank", 48); });
  BOOST_TEST(p.mla.q_rank == 48u);
}

BOOST_AUTO_TEST_CASE(sizes_of_latent_attention_that_make_no_sense) {
  auto number = [](const std::string& key, uint32_t x,
                   const std::string& reason) {
    refused(
        "deepseek2", [&](auto& f) { f.put_u32("deepseek2." + key, x); },
        "deepseek2." + key + " is " + std::to_string(x) + ", " + reason);
  };
  number("attention.head_count_kv", 2, "neither 1 nor 4");
  number("attention.kv_lora_rank", 0, "not from 1 to 1048576");
  number("attention.q_lora_rank", 1u << 21, "not from 0 to 1048576");
  number("rope.dimension_count", 16, "not less than the head size 16");
  number("rope.dimension_count", 7, "not even and at most the head size 16");
  refused(
      "deepseek2",
      [](auto& f) { f.put_u32("deepseek2.attention.kv_lora_rank", 1u << 19); },
      "4 heads of 524296 values are more than 1048576 in all");
  for (auto key : {"attention.kv_lora_rank", "attention.key_length",
                   "attention.value_length", "rope.dimension_count"})
    refused(
        "deepseek2",
        [&](auto& f) { f.remove(std::string{"deepseek2."} + key); },
        std::string{"metadata key deepseek2."} + key + " is missing");
}

BOOST_AUTO_TEST_CASE(yarn_scales_the_scores_of_latent_attention) {
  auto yarn = [](gguf_writer& f) {
    f.put_string("deepseek2.rope.scaling.type", "yarn");
    f.put_f32("deepseek2.rope.scaling.factor", 40.f);
  };
  auto p = read("deepseek2", yarn);
  BOOST_TEST(p.rope_magnitude == 1.f);
  BOOST_TEST(p.scale_of_scores() == 0.25f);
  p = read("deepseek2", [&](auto& f) {
    yarn(f);
    f.put_f32("deepseek2.rope.scaling.yarn_log_multiplier", 0.0707f);
  });
  BOOST_TEST(p.rope_magnitude == 1.f);
  // DeepSeek-V2's 0.1 * 0.707 * ln(40) + 1, squared.
  auto magnitude = 0.1 * 0.707 * std::log(40.0) + 1;
  BOOST_TEST(std::abs(p.scale_of_scores() - 0.25 * magnitude * magnitude)
             < 1e-6);
  refused(
      "deepseek2",
      [&](auto& f) {
        yarn(f);
        f.put_f32("deepseek2.rope.scaling.yarn_log_multiplier", 3e38f);
      },
      "deepseek2.rope.scaling.yarn_log_multiplier is out of range");
}

BOOST_AUTO_TEST_CASE(tensors_of_latent_attention) {
  for (auto split : {false, true})
    for (auto q_rank : {0u, 48u}) {
      auto o = options("deepseek2");
      o.layers = 1;
      o.split = split;
      o.q_rank = q_rank;
      auto whole = tiny_model_file(o);
      BOOST_TEST(model_refusal(whole).message == "");
      for (auto& t : whole.tensors)
        if (t.name.find("attn") != std::string::npos) {
          auto f = whole;
          f.at(t.name).shape.back() /= 2;
          BOOST_TEST(
              model_refusal(f).message.find("tensor " + t.name + " has shape ")
              != std::string::npos);
          f = whole;
          f.remove_tensor(t.name);
          BOOST_TEST(one_line_about(model_refusal(f)));
        }
      // What says the same twice is not in the way.
      whole.add_zero_tensor("blk.0.attn_kv_b.weight", {32, 128}, dtype::f32);
      BOOST_TEST((model_refusal(whole).message == "") == split);
    }
}

BOOST_AUTO_TEST_CASE(norms_after_a_layer_belong_to_gemma) {
  auto whole = tiny_model_file(options("gemma2"));
  BOOST_TEST(model_refusal(whole).message == "");
  for (auto name :
       {"blk.0.post_attention_norm.weight", "blk.6.post_ffw_norm.weight"}) {
    auto f = whole;
    f.remove_tensor(name);
    BOOST_TEST(model_refusal(f).message
               == "bad.gguf: tensor " + std::string{name}
                      + " is missing, expected 64");
  }
  auto f = tiny_model_file();
  f.add_zero_tensor("blk.0.post_ffw_norm.weight", {64}, dtype::f32);
  BOOST_TEST(to_string(model_refusal(f).code) == "unsupported");
}

BOOST_AUTO_TEST_SUITE_END()
