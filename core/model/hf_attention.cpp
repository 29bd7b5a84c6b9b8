#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/model/bounds.hpp"
#include "core/model/hf_parts.hpp"

namespace troupe {

namespace {

bool is_text(const nlohmann::json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

void read_heads(json_fields& config, hparams& p) {
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
  auto part = config.positive("partial_rotary_factor", 1.f);
  p.rope_dim = part <= 1.f ? static_cast<uint32_t>(part * p.head_dim) : 0;
  if (p.head_dim % 2 == 0 && (p.rope_dim == 0 || p.rope_dim % 2 != 0))
    config.stop(errc::bad_file, config.describe("partial_rotary_factor")
                                    + ", which with heads of "
                                    + std::to_string(p.head_dim)
                                    + " values makes no pairs");
}

void read_latent_heads(json_fields& config, hparams& p) {
  p.kv_heads = p.heads;
  auto plain = config.count("qk_nope_head_dim", most_width);
  p.rope_dim = config.count("qk_rope_head_dim", most_width);
  p.head_dim = plain + p.rope_dim;
  p.value_dim = config.count("v_head_dim", most_width);
  p.mla.kv_rank = config.count("kv_lora_rank", most_width);
  p.mla.q_rank = config.count("q_lora_rank", most_width, 0);
  if (p.rope_dim % 2 != 0)
    config.stop(errc::bad_file,
                config.describe("qk_rope_head_dim") + ", which is odd");
  // The other form has the values of a pair half a head apart.
  p.pairing = config.flag("rope_interleave", true) ? rope_pairing::adjacent
                                                   : rope_pairing::halves;
}

void check_heads(json_fields& config, const hparams& p) {
  if (p.head_dim % 2 != 0)
    config.stop(errc::bad_file,
                "head size " + std::to_string(p.head_dim) + " is odd");
  auto stored = uint64_t{p.mla.kv_rank} + (p.mla.kv_rank > 0 ? p.rope_dim : 0);
  for (auto size : {uint64_t{p.head_dim}, uint64_t{p.value_dim}, stored})
    if (p.heads * size > most_width)
      config.stop(errc::bad_file, std::to_string(p.heads) + " heads of "
                                      + std::to_string(size)
                                      + " values are more than "
                                      + std::to_string(most_width) + " in all");
}

// Whether a layer has a window; where nothing is said, none.
std::vector<bool> read_windowed(json_fields& config,
                                const hf_architecture& arch, uint32_t layers) {
  auto out = std::vector<bool>(layers, arch.windows == hf_windows::all);
  if (arch.windows == hf_windows::late
      && config.flag("use_sliding_window", false)) {
    auto first = config.count("max_window_layers", most_layers, layers, 0);
    for (auto i = first; i < layers; ++i)
      out[i] = true;
  }
  if (arch.windows == hf_windows::pattern) {
    auto period = config.count("sliding_window_pattern", most_layers,
                               arch.window_pattern);
    for (auto i = 0u; i < layers; ++i)
      out[i] = (i + 1) % period != 0;
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

void read_windows(json_fields& config, const hf_architecture& arch,
                  hparams& p) {
  auto windowed = read_windowed(config, arch, p.layers);
  // The library has a default of its own, which null overrides.
  auto usual = arch.window > 0 && !config.is_null("sliding_window")
                   ? arch.window
                   : p.context;
  auto window = config.count("sliding_window", INT32_MAX, usual);
  // A window over all of the context is none, unless more depends on it.
  if ((window >= p.context && !arch.local_rope)
      || std::find(windowed.begin(), windowed.end(), true) == windowed.end())
    return;
  for (auto has : windowed)
    p.windows.push_back(has ? window : 0);
}

} // namespace

void read_hf_attention(json_fields& config, const hf_architecture& arch,
                       hparams& p) {
  p.pairing = rope_pairing::halves;
  p.heads = config.count("num_attention_heads", most_heads);
  if (arch.latent)
    read_latent_heads(config, p);
  else
    read_heads(config, p);
  check_heads(config, p);
  if (arch.scaled_queries) {
    p.attention_scale =
        1.f / std::sqrt(config.positive("query_pre_attn_scalar", 256.f));
    if (config.has("attn_logit_softcapping"))
      p.attention_softcap = config.positive("attn_logit_softcapping");
    if (config.has("final_logit_softcapping"))
      p.logit_softcap = config.positive("final_logit_softcapping");
  }
  read_windows(config, arch, p);
}

} // namespace troupe
