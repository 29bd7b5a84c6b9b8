#include "core/model/hf_config.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/model/bounds.hpp"
#include "core/model/gguf_type.hpp"
#include "core/model/hf_rope.hpp"
#include "core/model/json.hpp"

namespace troupe {

namespace {

constexpr auto bounds = json_bounds{size_t{1} << 20, 16};

constexpr auto architectures = std::to_array<hf_architecture>({
    {"llama", "LlamaForCausalLM", presence::maybe, presence::never, false,
     hf_windows::none},
    {"mistral", "MistralForCausalLM", presence::never, presence::never, false,
     hf_windows::all},
    {"qwen2", "Qwen2ForCausalLM", presence::always, presence::never, false,
     hf_windows::late},
    {"qwen3", "Qwen3ForCausalLM", presence::maybe, presence::always, false,
     hf_windows::late},
    {"phi3", "Phi3ForCausalLM", presence::never, presence::never, true,
     hf_windows::all},
});

// Fields that change the computation in ways not implemented here, unless they
// hold this neutral value.
constexpr auto foreign = std::to_array<std::pair<std::string_view, double>>({
    {"add_cross_attention", 0},
    {"alibi", 0},
    {"attention_chunk_size", 0},
    {"attention_multiplier", 1},
    {"attn_logit_softcapping", 0},
    {"clip_qkv", 0},
    {"embedding_multiplier", 1},
    {"final_logit_softcapping", 0},
    {"is_causal", 1},
    {"logit_scale", 1},
    {"logits_scaling", 1},
    {"mlp_bias", 0},
    {"n_routed_experts", 0},
    {"num_experts", 0},
    {"num_local_experts", 0},
    {"qk_layernorm", 0},
    {"query_pre_attn_scalar", 0},
    {"residual_multiplier", 1},
    {"use_bidirectional_attention", 0},
    {"use_parallel_residual", 0},
    {"use_qk_norm", 0},
});

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

void read_heads(json_fields& config, hparams& p) {
  p.heads = config.count("num_attention_heads", most_heads);
  p.kv_heads = config.count("num_key_value_heads", most_heads, p.heads);
  if (p.heads % p.kv_heads != 0)
    config.stop(errc::bad_file, "num_attention_heads " + std::to_string(p.heads)
                                    + " is not a multiple of "
                                      "num_key_value_heads "
                                    + std::to_string(p.kv_heads));
  if (!config.has("head_dim") && p.hidden % p.heads != 0)
    config.stop(errc::bad_file,
                "hidden_size " + std::to_string(p.hidden)
                    + " is not a multiple of num_attention_heads "
                    + std::to_string(p.heads));
  p.head_dim =
      config.count("head_dim", most_width, std::max(1u, p.hidden / p.heads));
  if (p.head_dim % 2 != 0)
    config.stop(errc::bad_file,
                "head size " + std::to_string(p.head_dim) + " is odd");
  if (uint64_t{p.heads} * p.head_dim > most_width)
    config.stop(errc::bad_file, std::to_string(p.heads) + " heads of "
                                    + std::to_string(p.head_dim)
                                    + " values are more than "
                                    + std::to_string(most_width) + " in all");
  auto part = config.positive("partial_rotary_factor", 1.f);
  p.rope_dim = part <= 1.f ? static_cast<uint32_t>(part * p.head_dim) : 0;
  if (p.rope_dim == 0 || p.rope_dim % 2 != 0)
    config.stop(errc::bad_file, config.describe("partial_rotary_factor")
                                    + ", which with heads of "
                                    + std::to_string(p.head_dim)
                                    + " values makes no pairs");
}

// Whether a layer has a window; where nothing is said, none.
std::vector<bool> read_windowed(json_fields& config, hf_windows windows,
                                uint32_t layers) {
  auto out = std::vector<bool>(layers, windows == hf_windows::all);
  if (windows == hf_windows::late && config.flag("use_sliding_window", false)) {
    auto first = config.count("max_window_layers", most_layers, layers, 0);
    for (auto i = first; i < layers; ++i)
      out[i] = true;
  }
  auto* types = config.find("layer_types");
  if (!types)
    return out;
  if (!types->is_array() || types->size() != layers) {
    config.stop(errc::bad_file, "layer_types is not a list of "
                                    + std::to_string(layers) + " layers");
    return out;
  }
  for (auto i = 0u; i < layers; ++i) {
    auto& type = (*types)[i];
    out[i] = is_text(type, "sliding_attention");
    if (!out[i] && !is_text(type, "full_attention"))
      config.stop(errc::unsupported, config.describe("layer_types")
                                         + ", which has layers that this "
                                           "build does not implement");
  }
  return out;
}

void refuse_windows(json_fields& config, const hf_architecture& arch,
                    const hparams& p) {
  auto windowed = read_windowed(config, arch.windows, p.layers);
  // A window over all of the context is none.
  auto window = config.count("sliding_window", UINT32_MAX, p.context);
  if (window < p.context
      && std::find(windowed.begin(), windowed.end(), true) != windowed.end())
    config.stop(errc::unsupported, config.describe("sliding_window")
                                       + " in a context of "
                                       + std::to_string(p.context)
                                       + ", which this build does not "
                                         "implement");
}

void refuse_foreign(json_fields& config) {
  auto act = config.text("hidden_act", "silu");
  if (act != "silu" && act != "swish")
    config.stop(errc::unsupported,
                config.describe("hidden_act") + "; this build implements silu");
  if (config.has("quantization_config"))
    config.stop(errc::unsupported,
                "the weights are quantised, see quantization_config; this "
                "build reads F32, F16 and BF16");
  for (auto& [key, neutral] : foreign)
    config.refuse_unless(key, neutral);
}

} // namespace

result<hf_model_config> read_hf_config(const_bytes text,
                                       const std::string& path) {
  auto json = parse_json_object(text, path, bounds);
  if (!json)
    return json.failure();
  auto config = json_fields{*json, path};
  auto out = hf_model_config{};
  out.arch = read_architecture(config);
  if (config.failed())
    return config.failure();
  auto& p = out.params;
  p.architecture = out.arch->model_type;
  p.pairing = rope_pairing::halves;
  p.vocab = config.count("vocab_size", most_tokens);
  p.context = config.count("max_position_embeddings", most_context);
  p.hidden = config.count("hidden_size", most_width);
  p.layers = config.count("num_hidden_layers", most_layers);
  p.ffn = config.count("intermediate_size", most_width);
  p.norm_eps = config.positive("rms_norm_eps");
  read_heads(config, p);
  if (config.failed())
    return config.failure();
  read_hf_rope(config, p, out.rope_factors);
  auto biased = config.flag("attention_bias", false);
  out.qkv_bias = out.arch->qkv_bias == presence::always
                 || (out.arch->qkv_bias == presence::maybe && biased);
  if (biased && out.arch->qkv_bias == presence::never)
    config.refuse_unless("attention_bias", 0);
  out.tied = config.flag("tie_word_embeddings", false);
  refuse_foreign(config);
  refuse_windows(config, *out.arch, p);
  if (config.failed())
    return config.failure();
  return out;
}

} // namespace troupe
