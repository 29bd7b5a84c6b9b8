#include "core/model/hf_config.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/model/bounds.hpp"
#include "core/model/gguf_type.hpp"
#include "core/model/hf_parts.hpp"
#include "core/model/json.hpp"
#include "core/text/bounded_json.hpp"

namespace troupe {

namespace {

constexpr auto bounds = json_bounds{size_t{1} << 20, 16};

constexpr auto architectures = std::to_array<hf_architecture>({
    {.model_type = "llama",
     .class_name = "LlamaForCausalLM",
     .qkv_bias = presence::maybe},
    {.model_type = "mistral",
     .class_name = "MistralForCausalLM",
     .windows = hf_windows::all,
     .window = 4096},
    {.model_type = "mixtral",
     .class_name = "MixtralForCausalLM",
     .windows = hf_windows::all,
     .experts = hf_experts::mixtral},
    {.model_type = "qwen2",
     .class_name = "Qwen2ForCausalLM",
     .qkv_bias = presence::always,
     .windows = hf_windows::late},
    {.model_type = "qwen3",
     .class_name = "Qwen3ForCausalLM",
     .qkv_bias = presence::maybe,
     .qk_norm = presence::always,
     .windows = hf_windows::late},
    {.model_type = "qwen3_moe",
     .class_name = "Qwen3MoeForCausalLM",
     .qkv_bias = presence::maybe,
     .qk_norm = presence::always,
     .windows = hf_windows::late,
     .experts = hf_experts::qwen3},
    {.model_type = "phi3",
     .class_name = "Phi3ForCausalLM",
     .fused = true,
     .windows = hf_windows::all},
    {.model_type = "deepseek_v2",
     .class_name = "DeepseekV2ForCausalLM",
     .experts = hf_experts::deepseek2,
     .latent = true},
    {.model_type = "deepseek_v3",
     .class_name = "DeepseekV3ForCausalLM",
     .experts = hf_experts::deepseek3,
     .latent = true},
    {.model_type = "gemma2",
     .class_name = "Gemma2ForCausalLM",
     .windows = hf_windows::pattern,
     .post_norms = true,
     .norms_add_one = true,
     .gate = gate_function::gelu_tanh,
     .scaled_embedding = true,
     .scaled_queries = true,
     .tied = true,
     .window = 4096,
     .window_pattern = 2},
    {.model_type = "gemma3_text",
     .class_name = "Gemma3ForCausalLM",
     .qk_norm = presence::always,
     .windows = hf_windows::pattern,
     .post_norms = true,
     .norms_add_one = true,
     .gate = gate_function::gelu_tanh,
     .scaled_embedding = true,
     .scaled_queries = true,
     .tied = true,
     .window = 4096,
     .window_pattern = 6,
     .local_rope = true},
});

// Fields that change the computation in ways not implemented here, unless they
// hold this neutral value.
constexpr auto foreign = std::to_array<std::pair<std::string_view, double>>({
    {"add_cross_attention", 0},
    {"alibi", 0},
    {"attention_chunk_size", 0},
    {"attention_multiplier", 1},
    {"clip_qkv", 0},
    {"embedding_multiplier", 1},
    {"is_causal", 1},
    {"logit_scale", 1},
    {"logits_scaling", 1},
    {"mlp_bias", 0},
    {"qk_layernorm", 0},
    {"residual_multiplier", 1},
    {"use_bidirectional_attention", 0},
    {"use_parallel_residual", 0},
    {"use_qk_norm", 0},
});

// The same, but for architectures that have them.
constexpr auto queries = std::to_array<std::string_view>(
    {"attn_logit_softcapping", "final_logit_softcapping",
     "query_pre_attn_scalar"});
constexpr auto numbers_of_experts = std::to_array<std::string_view>(
    {"n_routed_experts", "num_experts", "num_local_experts"});

std::string known_types() {
  auto out = std::string{};
  for (auto& a : architectures)
    out += (out.empty() ? "" : ", ") + std::string{a.model_type};
  return out;
}

bool is_text(const nlohmann::json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

const hf_architecture* read_architecture(json_fields& config) {
  auto type = config.text("model_type", "");
  auto* arch = std::find_if(architectures.begin(), architectures.end(),
                            [&](auto& a) { return a.model_type == type; });
  if (arch == architectures.end()) {
    config.stop(errc::unsupported, config.describe("model_type")
                                       + "; this build implements "
                                       + known_types());
    return nullptr;
  }
  // The same layers under another head, such as a classifier's.
  auto* classes = config.find("architectures");
  if (classes
      && (!classes->is_array() || classes->size() != 1
          || !is_text(classes->front(), arch->class_name)))
    config.stop(errc::unsupported, config.describe("architectures")
                                       + "; this build implements "
                                       + std::string{arch->class_name});
  return arch;
}

void refuse_foreign(json_fields& config, const hf_architecture& arch) {
  auto gelu = arch.gate == gate_function::gelu_tanh;
  auto wanted = std::string{gelu ? "gelu_pytorch_tanh" : "silu"};
  // Gemma's older name of it counts only where the newer is absent.
  auto* key = gelu && config.has("hidden_activation") ? "hidden_activation"
                                                      : "hidden_act";
  auto act = config.text(key, wanted);
  if (act != wanted && !(act == "swish" && !gelu))
    config.stop(errc::unsupported,
                config.describe(key) + "; this build implements " + wanted);
  if (config.has("quantization_config"))
    config.stop(errc::unsupported,
                "the weights are quantised, see quantization_config; this "
                "build reads F32, F16 and BF16");
  for (auto& [field, neutral] : foreign)
    config.refuse_unless(field, neutral);
  if (!arch.scaled_queries)
    for (auto field : queries)
      config.refuse_unless(field, 0);
  if (arch.experts == hf_experts::none)
    for (auto field : numbers_of_experts)
      config.refuse_unless(field, 0);
}

} // namespace

result<hf_model_config> read_hf_config(const_bytes text,
                                       const std::string& path) {
  auto json = parse_object(text_of(text), path, bounds);
  if (!json)
    return json.failure();
  auto config = json_fields{*json, path};
  auto out = hf_model_config{};
  out.arch = read_architecture(config);
  if (config.failed())
    return config.failure();
  auto& p = out.params;
  p.architecture = out.arch->model_type;
  p.vocab = config.count("vocab_size", most_tokens);
  p.context = config.count("max_position_embeddings", most_context);
  p.hidden = config.count("hidden_size", most_width);
  p.layers = config.count("num_hidden_layers", most_layers);
  p.ffn = config.count("intermediate_size", most_width);
  p.norm_eps = config.positive("rms_norm_eps");
  if (out.arch->scaled_embedding)
    p.embedding_scale = std::sqrt(static_cast<float>(p.hidden));
  p.gate = out.arch->gate;
  read_hf_attention(config, *out.arch, p);
  if (config.failed())
    return config.failure();
  read_hf_rope(config, *out.arch, p, out.rope_factors);
  read_hf_experts(config, *out.arch, p);
  auto biased = config.flag("attention_bias", false);
  out.qkv_bias = out.arch->qkv_bias == presence::always
                 || (out.arch->qkv_bias == presence::maybe && biased);
  if (biased && out.arch->qkv_bias == presence::never)
    config.refuse_unless("attention_bias", 0);
  out.tied = config.flag("tie_word_embeddings", out.arch->tied);
  if (out.arch->experts == hf_experts::deepseek3)
    out.ahead = config.count("num_nextn_predict_layers", most_layers, 0, 0);
  refuse_foreign(config, *out.arch);
  if (config.failed())
    return config.failure();
  return out;
}

} // namespace troupe
