#include "core/model/hf_config.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/model_refusal.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using changes = std::vector<std::pair<std::string_view, std::string_view>>;

result<hf_model_config> read(const std::string& text) {
  return read_hf_config(std::as_bytes(std::span{text}), "config.json");
}

std::string tiny(const changes& put, std::string architecture = "llama") {
  auto o = tiny_model_options{};
  o.architecture = std::move(architecture);
  auto f = hf_model_files{};
  // As much of it as config.json needs.
  f.config = tiny_hf_model(o).config;
  for (auto& [key, value] : put)
    f.put(key, value);
  return f.config_text();
}

hf_model_config accepted(const changes& put,
                         std::string architecture = "llama") {
  auto c = read(tiny(put, std::move(architecture)));
  BOOST_REQUIRE_MESSAGE(c.ok(), (c.ok() ? "" : c.failure().message));
  return *c;
}

void check_refused(const changes& put, errc code, std::string_view reason,
                   std::string architecture = "llama") {
  auto c = read(tiny(put, std::move(architecture)));
  BOOST_REQUIRE(!c);
  BOOST_TEST(to_string(c.failure().code) == to_string(code));
  BOOST_TEST(c.failure().message == "config.json: " + std::string{reason});
}

} // namespace

BOOST_AUTO_TEST_SUITE(hf_configs)

BOOST_AUTO_TEST_CASE(numbers_are_read) {
  auto c = accepted({});
  auto& p = c.params;
  BOOST_TEST(p.architecture == "llama");
  BOOST_TEST(p.vocab == tiny_vocab_size);
  BOOST_TEST(p.context == 256u);
  BOOST_TEST(p.hidden == 64u);
  BOOST_TEST(p.layers == 2u);
  BOOST_TEST(p.heads == 4u);
  BOOST_TEST(p.kv_heads == 2u);
  BOOST_TEST(p.head_dim == 16u);
  BOOST_TEST(p.rope_dim == 16u);
  BOOST_TEST(p.ffn == 96u);
  BOOST_TEST(p.norm_eps == 1e-5f);
  BOOST_TEST(p.rope_base == 10000.f);
  BOOST_TEST((p.pairing == rope_pairing::halves));
  BOOST_TEST(!c.tied);
  BOOST_TEST(!c.qkv_bias);
  BOOST_TEST(c.rope_factors.empty());
}

BOOST_AUTO_TEST_CASE(what_may_be_absent) {
  auto c = accepted({{"head_dim", "null"},
                     {"num_key_value_heads", "null"},
                     {"rope_theta", "null"},
                     {"tie_word_embeddings", "null"},
                     {"attention_bias", "null"},
                     {"hidden_act", "null"},
                     {"architectures", "null"},
                     {"rope_scaling", "null"},
                     {"quantization_config", "null"},
                     {"a_field_of_tomorrow", "{\"x\": [1, 2]}"}});
  BOOST_TEST(c.params.head_dim == 16u);
  BOOST_TEST(c.params.kv_heads == 4u);
  BOOST_TEST(c.params.rope_base == 10000.f);
  for (auto key : {"vocab_size", "max_position_embeddings", "hidden_size",
                   "num_hidden_layers", "num_attention_heads",
                   "intermediate_size", "rms_norm_eps"})
    check_refused({{key, "null"}}, errc::bad_file,
                  std::string{key} + " is missing");
}

BOOST_AUTO_TEST_CASE(numbers_have_bounds) {
  check_refused({{"hidden_size", "0"}}, errc::bad_file,
                "hidden_size is 0, not from 1 to 1048576");
  check_refused({{"hidden_size", "1048577"}}, errc::bad_file,
                "hidden_size is 1048577, not from 1 to 1048576");
  check_refused({{"num_hidden_layers", "-1"}}, errc::bad_file,
                "num_hidden_layers is -1, not from 1 to 4096");
  check_refused({{"num_hidden_layers", "\"2\""}}, errc::bad_file,
                "num_hidden_layers is \"2\", not from 1 to 4096");
  check_refused({{"rms_norm_eps", "0"}}, errc::bad_file,
                "rms_norm_eps is 0, not a positive number");
  check_refused({{"rms_norm_eps", "1e300"}}, errc::bad_file,
                "rms_norm_eps is 1e+300, not a positive number");
  check_refused({{"num_key_value_heads", "3"}}, errc::bad_file,
                "num_attention_heads 4 is not a multiple of "
                "num_key_value_heads 3");
  check_refused({{"head_dim", "15"}}, errc::bad_file, "head size 15 is odd");
  check_refused({{"head_dim", "null"}, {"hidden_size", "66"}}, errc::bad_file,
                "hidden_size 66 is not a multiple of num_attention_heads 4");
  check_refused({{"head_dim", "524288"}}, errc::bad_file,
                "4 heads of 524288 values are more than 1048576 in all");
  check_refused({{"tie_word_embeddings", "1"}}, errc::bad_file,
                "tie_word_embeddings is 1, not true or false");
}

BOOST_AUTO_TEST_CASE(texts_have_bounds) {
  BOOST_TEST(read("").failure().message
             == "config.json: is not JSON, at byte 1");
  BOOST_TEST(read("[1]").failure().message
             == "config.json: is not a JSON object");
  BOOST_TEST(read("{\"a\": 1e999}").failure().message
             == "config.json: is not JSON, at byte 11");
  auto deep = read("{\"a\": " + std::string(1000, '[')).failure();
  BOOST_TEST(to_string(deep.code) == "unsupported");
  BOOST_TEST(deep.message == "config.json: is nested more than 16 deep");
  auto e = read(std::string((1 << 20) + 1, ' ')).failure();
  BOOST_TEST(to_string(e.code) == "unsupported");
  // Values in errors are cut.
  auto long_act = "\"" + std::string(5000, '\\') + "\"";
  auto c = read(tiny({{"hidden_act", long_act}}));
  BOOST_REQUIRE(!c);
  BOOST_TEST(c.failure().message.size() < 300u);
}

BOOST_AUTO_TEST_CASE(architectures) {
  for (auto name : {"llama", "mistral", "qwen2", "qwen3", "phi3"})
    BOOST_TEST(accepted({}, name).params.architecture == name);
  BOOST_TEST(accepted({}, "qwen2").qkv_bias);
  BOOST_TEST(accepted({{"attention_bias", "true"}}).qkv_bias);
  check_refused({{"attention_bias", "true"}}, errc::unsupported,
                "attention_bias is true, which this build does not implement",
                "mistral");
  auto c = read(tiny({{"model_type", "\"bert\""}}));
  BOOST_REQUIRE(!c);
  BOOST_TEST(to_string(c.failure().code) == "unsupported");
  BOOST_TEST(c.failure().message.starts_with(
      "config.json: model_type is \"bert\"; this build implements llama, "));
  check_refused({{"architectures", "[\"LlamaForTokenClassification\"]"}},
                errc::unsupported,
                "architectures is [\"LlamaForTokenClassification\"]; this "
                "build implements LlamaForCausalLM");
  check_refused({{"architectures", "[]"}}, errc::unsupported,
                "architectures is []; this build implements LlamaForCausalLM");
}

BOOST_AUTO_TEST_CASE(what_would_change_the_computation_is_refused) {
  auto check = [](std::string_view key, std::string_view value) {
    check_refused({{key, value}}, errc::unsupported,
                  std::string{key} + " is " + std::string{value}
                      + ", which this build does not implement");
  };
  check("mlp_bias", "true");
  check("attn_logit_softcapping", "50.0");
  check("final_logit_softcapping", "30.0");
  check("logit_scale", "0.0625");
  check("num_local_experts", "8");
  check("is_causal", "false");
  check("clip_qkv", "\"x\"");
  check_refused({{"hidden_act", "\"gelu\""}}, errc::unsupported,
                "hidden_act is \"gelu\"; this build implements silu");
  check_refused({{"quantization_config", "{\"quant_method\": \"fp8\"}"}},
                errc::unsupported,
                "the weights are quantised, see quantization_config; this "
                "build reads F32, F16 and BF16");
  accepted({{"mlp_bias", "false"}, {"logit_scale", "1"}});
}

BOOST_AUTO_TEST_CASE(rope_scaling) {
  auto linear =
      accepted({{"rope_scaling", R"({"type": "linear", "factor": 4})"}});
  BOOST_TEST(linear.params.rope_scale == 0.25f);
  auto none = accepted({{"rope_scaling", R"({"rope_type": "default"})"}});
  BOOST_TEST(none.params.rope_scale == 1.f);
  // The form of transformers 5.
  auto base = accepted(
      {{"rope_theta", "null"},
       {"rope_parameters", R"({"rope_type": "default", "rope_theta": 5e5})"}});
  BOOST_TEST(base.params.rope_base == 5e5f);
  auto yarn = accepted({{"rope_scaling",
                         R"({"type": "yarn", "factor": 4.0,
        "original_max_position_embeddings": 128, "beta_fast": 16})"}});
  BOOST_TEST(yarn.params.context == 512u); // rather than 256
  BOOST_TEST(yarn.params.yarn.factor == 4.f);
  BOOST_TEST(yarn.params.yarn.beta_fast == 16.f);
  BOOST_TEST(yarn.params.rope_magnitude == 0.1f * std::log(4.f) + 1.f);
  BOOST_TEST(yarn.rope_factors.size() == 8u);
  auto same = accepted({{"rope_scaling",
                         R"({"type": "yarn", "factor": 40.0, "mscale": 0.7,
        "mscale_all_dim": 0.7, "original_max_position_embeddings": 64})"}});
  BOOST_TEST(same.params.rope_magnitude == 1.f);
  auto given = accepted({{"rope_scaling",
                          R"({"type": "yarn", "factor": 4.0,
        "attention_factor": 0.5})"}});
  BOOST_TEST(given.params.rope_magnitude == 0.5f);
  // Turns within 8192 tokens: from 1303 down; 4 and more are left alone, 1 and
  // less are slowed down by 8.
  auto llama3 = accepted({{"rope_scaling",
                           R"({"rope_type": "llama3", "factor": 8.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192})"},
                          {"rope_theta", "500000.0"}});
  BOOST_REQUIRE(llama3.rope_factors.size() == 8u);
  BOOST_TEST(llama3.rope_factors[0] == 1.f);
  BOOST_TEST(llama3.rope_factors[3] == 1.f);
  BOOST_TEST(llama3.rope_factors[4] > 1.f);
  BOOST_TEST(llama3.rope_factors[4] < 8.f);
  BOOST_TEST(llama3.rope_factors[5] == 8.f);
  BOOST_TEST(llama3.rope_factors[7] == 8.f);
}

BOOST_AUTO_TEST_CASE(rope_scaling_that_is_refused) {
  auto check = [](std::string_view rope, errc code, std::string_view reason) {
    check_refused({{"rope_scaling", rope}}, code,
                  "rope_scaling." + std::string{reason});
  };
  for (auto type : {"longrope", "dynamic", "su"})
    check("{\"type\": \"" + std::string{type} + "\", \"factor\": 2.0}",
          errc::unsupported,
          "rope_type is \"" + std::string{type}
              + "\"; this build implements default, linear, llama3 and yarn");
  check(R"({"type": 1})", errc::bad_file, "type is 1, not a string");
  check(R"({"type": "linear"})", errc::bad_file, "factor is missing");
  check(R"({"type": "linear", "factor": 0})", errc::bad_file,
        "factor is 0, not a positive number");
  check(R"({"type": "linear", "factor": 1e-39})", errc::bad_file,
        "factor is 1e-39, out of range");
  check(R"({"type": "yarn", "factor": 0.5})", errc::bad_file,
        "factor is 0.5, less than 1");
  check(R"({"type": "yarn", "factor": 2.0, "truncate": false})",
        errc::unsupported,
        "truncate is false, which this build does not implement");
  check(R"({"type": "llama3", "factor": 8.0, "low_freq_factor": 4.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64})",
        errc::bad_file,
        "high_freq_factor is 4.0, not more than low_freq_factor");
  check_refused({{"rope_scaling", "\"linear\""}}, errc::bad_file,
                "rope_scaling is \"linear\", not an object");
  check_refused({{"rope_theta", "0"}}, errc::bad_file,
                "rope_theta is 0, not a positive number");
}

BOOST_AUTO_TEST_CASE(partial_rotation) {
  auto c = accepted({{"partial_rotary_factor", "0.75"}}, "phi3");
  BOOST_TEST(c.params.rope_dim == 12u);
  for (auto part : {"0.2", "1.5", "1e-9"})
    BOOST_TEST(!read(tiny({{"partial_rotary_factor", part}}, "phi3")));
}

BOOST_AUTO_TEST_CASE(windows) {
  using layers = std::vector<uint32_t>;
  auto windows = [](const changes& put, const char* architecture) {
    return accepted(put, architecture).params.windows;
  };
  // At least the context: none.
  BOOST_TEST(windows({{"sliding_window", "256"}}, "mistral").empty());
  BOOST_TEST(windows({{"sliding_window", "null"}}, "mistral").empty());
  BOOST_TEST(windows({{"sliding_window", "8"}}, "qwen2").empty());
  // Where the field is absent, not null, some have one all the same.
  auto longer = changes{{"max_position_embeddings", "8192"}};
  BOOST_TEST(windows(longer, "mistral") == (layers{4096, 4096}));
  BOOST_TEST(windows(longer, "phi3").empty());
  longer.emplace_back("sliding_window", "null");
  BOOST_TEST(windows(longer, "mistral").empty());
  BOOST_TEST(windows({{"sliding_window", "8"}, {"use_sliding_window", "false"}},
                     "qwen2")
                 .empty());
  BOOST_TEST(windows({{"sliding_window", "8"},
                      {"use_sliding_window", "true"},
                      {"max_window_layers", "2"}},
                     "qwen2")
                 .empty());
  BOOST_TEST(
      windows({{"sliding_window", "8"},
               {"layer_types", "[\"full_attention\", \"full_attention\"]"}},
              "mistral")
          .empty());
  BOOST_TEST(windows({{"sliding_window", "8"}}, "mistral") == (layers{8, 8}));
  BOOST_TEST(windows({{"sliding_window", "8"},
                      {"use_sliding_window", "true"},
                      {"max_window_layers", "1"}},
                     "qwen2")
             == (layers{0, 8}));
  BOOST_TEST(
      windows({{"sliding_window", "8"},
               {"layer_types", "[\"sliding_attention\", \"full_attention\"]"}},
              "qwen3")
      == (layers{8, 0}));
  auto gemma = changes{{"architectures", "null"},
                       {"hidden_act", "\"gelu_pytorch_tanh\""},
                       {"sliding_window", "8"}};
  BOOST_TEST(windows(gemma, "gemma2") == (layers{8, 0}));
  gemma.emplace_back("sliding_window_pattern", "1");
  BOOST_TEST(windows(gemma, "gemma2").empty());
  check_refused({{"layer_types", "[\"full_attention\"]"}}, errc::bad_file,
                "layer_types is not a list of 2 layers");
  check_refused({{"layer_types", "[\"full_attention\", \"linear\"]"}},
                errc::unsupported,
                "layer_types is [\"full_attention\",\"linear\"], which has "
                "layers that this build does not implement");
}

BOOST_AUTO_TEST_CASE(numbers_of_gemma) {
  auto put = changes{{"architectures", "null"},
                     {"hidden_activation", "\"gelu_pytorch_tanh\""},
                     {"tie_word_embeddings", "null"},
                     {"query_pre_attn_scalar", "64"},
                     {"rope_theta", "1000000"},
                     {"rope_local_base_freq", "5000"},
                     {"rope_scaling", "{\"rope_type\": \"linear\", "
                                      "\"factor\": 8}"}};
  auto c = accepted(put, "gemma3_text");
  BOOST_TEST(c.tied);
  BOOST_TEST(c.params.attention_scale == 0.125f);
  BOOST_TEST(c.params.attention_softcap == 0.f);
  BOOST_TEST(c.params.embedding_scale == 8.f);
  BOOST_TEST(c.params.local_rope_base == 5000.f);
  BOOST_TEST(c.params.rope_base == 1000000.f);
  BOOST_TEST(c.params.rope_scale == 0.125f);
  // A window over all of the context matters still: positions depend on it.
  BOOST_TEST(c.params.windows == (std::vector<uint32_t>{4096, 4096}));
  put.emplace_back("hidden_activation", "\"gelu\"");
  check_refused(put, errc::unsupported,
                "hidden_activation is \"gelu\"; this build implements "
                "gelu_pytorch_tanh",
                "gemma3_text");
  constexpr auto nested = "{\"full_attention\": {\"rope_theta\": 5}, "
                          "\"sliding_attention\": {\"rope_theta\": 7}}";
  put.back() = {"rope_scaling", "null"};
  put.emplace_back("rope_parameters", nested);
  c = accepted(put, "gemma3_text");
  BOOST_TEST(c.params.rope_base == 5.f);
  BOOST_TEST(c.params.local_rope_base == 7.f);
  BOOST_TEST(c.params.rope_scale == 1.f);
  check_refused({{"rope_parameters", nested}}, errc::unsupported,
                "rope_parameters.full_attention is given, which this build "
                "does not implement for llama");
}

BOOST_AUTO_TEST_CASE(numbers_of_deepseek) {
  auto usual =
      changes{{"architectures", "null"},    {"kv_lora_rank", "32"},
              {"qk_nope_head_dim", "16"},   {"qk_rope_head_dim", "8"},
              {"v_head_dim", "12"},         {"n_routed_experts", "6"},
              {"num_experts_per_tok", "2"}, {"moe_intermediate_size", "40"}};
  auto with = [&](changes more) {
    more.insert(more.begin(), usual.begin(), usual.end());
    return more;
  };
  auto c = accepted(with({{"n_shared_experts", "2"},
                          {"first_k_dense_replace", "1"},
                          {"routed_scaling_factor", "2.5"},
                          {"n_group", "3"},
                          {"topk_group", "1"},
                          {"num_nextn_predict_layers", "1"}}),
                    "deepseek_v3");
  auto& p = c.params;
  BOOST_TEST(p.head_dim == 24u);
  BOOST_TEST(p.rope_dim == 8u);
  BOOST_TEST(p.value_dim == 12u);
  BOOST_TEST(p.kv_heads == p.heads);
  BOOST_TEST(p.mla.kv_rank == 32u);
  BOOST_TEST(p.mla.q_rank == 0u);
  BOOST_TEST((p.pairing == rope_pairing::adjacent));
  BOOST_TEST(p.experts.count == 6u);
  BOOST_TEST(p.experts.ffn == 40u);
  BOOST_TEST(p.experts.shared == 2u);
  BOOST_TEST(p.experts.leading_dense == 1u);
  BOOST_TEST((p.experts.gating == expert_gating::sigmoid));
  BOOST_TEST(p.experts.normalise);
  BOOST_TEST(p.experts.scale == 2.5f);
  BOOST_TEST(p.experts.groups == 3u);
  BOOST_TEST(p.experts.groups_used == 1u);
  BOOST_TEST(c.ahead == 1u);
  // Groups count only with their method.
  c = accepted(with({{"n_group", "3"}, {"topk_group", "1"}}), "deepseek_v2");
  BOOST_TEST(c.params.experts.groups == 1u);
  BOOST_TEST((c.params.experts.gating == expert_gating::softmax));
  auto refused = [&](changes more, errc code, std::string_view reason) {
    check_refused(with(std::move(more)), code, reason, "deepseek_v3");
  };
  refused({{"n_group", "4"}}, errc::bad_file,
          "6 experts are not a multiple of 4 groups");
  refused({{"n_group", "6"}, {"topk_group", "1"}}, errc::bad_file,
          "num_experts_per_tok is 2, more than 1 groups of 1 have");
  refused({{"qk_rope_head_dim", "7"}}, errc::bad_file,
          "qk_rope_head_dim is 7, which is odd");
  refused({{"kv_lora_rank", "null"}}, errc::bad_file,
          "kv_lora_rank is missing");
  refused({{"scoring_func", "\"softmax\""}}, errc::unsupported,
          "scoring_func is \"softmax\"; this build implements sigmoid");
  refused({{"moe_layer_freq", "2"}}, errc::unsupported,
          "moe_layer_freq is 2, which this build does not implement");
  check_refused(with({{"norm_topk_prob", "true"}}), errc::unsupported,
                "norm_topk_prob is true, which this build does not implement",
                "deepseek_v2");
}

BOOST_AUTO_TEST_CASE(numbers_of_experts) {
  auto c = accepted({{"num_local_experts", "4"}, {"num_experts_per_tok", "2"}},
                    "mixtral");
  BOOST_TEST(c.params.experts.count == 4u);
  BOOST_TEST(c.params.experts.ffn == c.params.ffn);
  BOOST_TEST(c.params.experts.normalise);
  auto moe = changes{{"architectures", "null"},
                     {"num_experts", "4"},
                     {"num_experts_per_tok", "2"},
                     {"moe_intermediate_size", "8"}};
  BOOST_TEST(!accepted(moe, "qwen3_moe").params.experts.normalise);
  moe.emplace_back("mlp_only_layers", "[0]");
  check_refused(moe, errc::unsupported,
                "mlp_only_layers is [0]; this build implements experts in all "
                "layers",
                "qwen3_moe");
  check_refused({{"num_local_experts", "4"}, {"num_experts_per_tok", "5"}},
                errc::bad_file, "num_experts_per_tok is 5, not from 1 to 4",
                "mixtral");
}

BOOST_AUTO_TEST_SUITE_END()
