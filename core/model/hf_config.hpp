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
};

/// What tells one architecture of Hugging Face models from another, as data;
/// see also `architecture`.
struct hf_architecture {
  std::string_view model_type; ///< in config.json
  std::string_view class_name; ///< in config.json's `architectures`
  /// self_attn.{q,k,v}_proj.bias; `maybe`: as attention_bias says.
  presence qkv_bias;
  /// self_attn.{q,k}_norm.weight: norms of each head of Q and K.
  presence qk_norm;
  /// self_attn.qkv_proj and mlp.gate_up_proj hold the rows of several matrices.
  bool fused;
  hf_windows windows;
};

/// What config.json says about a model.
struct hf_model_config {
  const hf_architecture* arch = nullptr;
  hparams params;
  bool qkv_bias = false;
  /// The output matrix is the embedding.
  bool tied = false;
  /// See model_weights.
  std::vector<float> rope_factors;
};

/// Reads the text of a config.json, within the bounds of read_hparams. Errors
/// start with `path`: bad_file, or unsupported for what would change the
/// computation in a way that this build does not implement.
result<hf_model_config> read_hf_config(const_bytes text,
                                       const std::string& path);

} // namespace troupe
