#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/model/architecture.hpp"
#include "core/model/hparams.hpp"

namespace troupe {

/// Which layers of an architecture look back no further than sliding_window,
/// where layer_types does not say.
enum class hf_windows : uint8_t {
  none,
  all,
  /// Those from max_window_layers on, if use_sliding_window says so.
  late,
  /// All but the last of every sliding_window_pattern.
  pattern,
};

/// How a mixture of experts is described and its tensors are called.
enum class hf_experts : uint8_t { none, mixtral, qwen3, deepseek2, deepseek3 };

/// What tells one architecture of Hugging Face models from another, as data;
/// see also `architecture`.
struct hf_architecture {
  std::string_view model_type; ///< in config.json
  std::string_view class_name; ///< in config.json's `architectures`
  /// self_attn.{q,k,v}_proj.bias; `maybe`: as attention_bias says.
  presence qkv_bias = presence::never;
  /// self_attn.{q,k}_norm.weight: norms of each head of Q and K.
  presence qk_norm = presence::never;
  /// self_attn.qkv_proj and mlp.gate_up_proj hold the rows of several matrices.
  bool fused = false;
  hf_windows windows = hf_windows::none;
  hf_experts experts = hf_experts::none;
  /// Multi-head latent attention.
  bool latent = false;

  // Of Gemma, but for the window.
  /// {pre,post}_feedforward_layernorm; post_attention_layernorm is of what
  /// attention adds, not of what it is added to.
  bool post_norms = false;
  /// Norms multiply by 1 + their weight.
  bool norms_add_one = false;
  gate_function gate = gate_function::silu;
  bool scaled_embedding = false; ///< by the square root of hidden_size
  /// query_pre_attn_scalar, whose root divides scores, and the softcaps.
  bool scaled_queries = false;
  bool tied = false; ///< where tie_word_embeddings does not say
  /// Where sliding_window is absent; 0: none. Where it is null, there is none.
  uint32_t window = 0;
  uint32_t window_pattern = 1; ///< where sliding_window_pattern does not say
  /// Layers with a window have positions of their own: rope_local_base_freq.
  bool local_rope = false;
};

/// What config.json says about a model.
struct hf_model_config {
  const hf_architecture* arch = nullptr;
  hparams params;
  bool qkv_bias = false;
  /// The output matrix is the embedding.
  bool tied = false;
  /// Layers after the last that predict tokens further ahead, which this build
  /// leaves out (DeepSeek-V3's multi-token prediction).
  uint32_t ahead = 0;
  /// See model_weights.
  std::vector<float> rope_factors;
};

/// Reads the text of a config.json, within the bounds of read_hparams. Errors
/// start with `path`: bad_file, or unsupported for what would change the
/// computation in a way that this build does not implement.
result<hf_model_config> read_hf_config(const_bytes text,
                                       const std::string& path);

} // namespace troupe
