#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor/rope.hpp"

namespace troupe {

/// How rotary position embedding pairs the values of a head (Su et al.,
/// "RoFormer", 2021).
enum class rope_pairing : uint8_t {
  /// (0,1), (2,3), …: the llama family in GGUF.
  adjacent,
  /// (0, d/2), (1, d/2 + 1), …: the gpt-neox family.
  halves,
};

/// What the gate of a feed-forward layer goes through before it multiplies
/// (Shazeer, "GLU Variants Improve Transformer", 2020).
enum class gate_function : uint8_t {
  silu, ///< x / (1 + e^-x)
  /// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
  gelu_tanh,
};

/// How a router's logits become scores of experts.
enum class expert_gating : uint8_t {
  softmax, ///< over all experts
  sigmoid, ///< of each alone
};

/// Which group of experts is better, where a token may use only some groups.
enum class group_score : uint8_t {
  largest,     ///< by its best expert (DeepSeek-V2)
  largest_two, ///< by the sum of its best two (DeepSeek-V3)
};

/// A mixture of experts in place of a layer's feed-forward (Shazeer et al.,
/// "Outrageously Large Neural Networks", 2017; Dai et al., "DeepSeekMoE",
/// 2024). Experts are chosen by their score plus the layer's bias; the sum of
/// their outputs is weighed by the score alone.
struct expert_hparams {
  uint32_t count = 0; ///< 0: no layer has experts
  uint32_t used = 0;  ///< by a token; up to those of groups_used groups
  uint32_t ffn = 0;   ///< width of one
  /// Experts that every token uses, as one feed-forward of shared * ffn; may
  /// be 0.
  uint32_t shared = 0;
  uint32_t leading_dense = 0; ///< layers before the first with experts
  expert_gating gating = expert_gating::softmax;
  bool normalise = false; ///< weights of a token are divided by their sum
  float scale = 1.f;      ///< and then multiplied by this
  uint32_t groups = 1;    ///< of count / groups consecutive experts
  uint32_t groups_used = 1;
  group_score best_group = group_score::largest;
};

/// Multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024): K and V of
/// all heads are made from one vector of `kv_rank` values a token, beside
/// which `rope_dim` values, shared by all heads, carry the position. A head of
/// Q and K is head_dim - rope_dim values without position, then rope_dim with.
struct mla_hparams {
  uint32_t kv_rank = 0; ///< 0: the model has another attention
  uint32_t q_rank = 0;  ///< 0: Q is made from the residual stream in one step
};

/// What an architecture is, as numbers. The engine reads these and never the
/// architecture's name.
struct hparams {
  std::string architecture;
  std::string name;
  uint32_t vocab = 0;
  uint32_t context = 0; ///< tokens the model was trained for
  uint32_t hidden = 0;  ///< width of the residual stream
  uint32_t layers = 0;
  float norm_eps = 1e-5f;
  float embedding_scale = 1.f; ///< multiplies what is looked up
  float logit_softcap = 0.f;   ///< c: logits are c tanh(x / c); 0: they are x

  // -- attention --------------------------------------------------------------

  uint32_t heads = 0; ///< query heads
  /// Divides `heads` (grouped-query attention); `heads` with `mla`.
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;  ///< of Q and K; even
  uint32_t value_dim = 0; ///< of V; 0: head_dim
  mla_hparams mla;
  /// Multiplies the scores; 0: 1 / sqrt(head_dim).
  float attention_scale = 0.f;
  float attention_softcap = 0.f; ///< of scores, as logit_softcap; 0: none
  /// [layers] or empty. Not 0: the layer is local, a token sees so many tokens,
  /// itself included. 0: it sees all before it.
  std::vector<uint32_t> windows;

  // -- positions --------------------------------------------------------------

  uint32_t rope_dim = 0; ///< values of a head that are rotated: its first ones
  float rope_base = 10000.f;
  /// Positions are multiplied by this (linear scaling).
  float rope_scale = 1.f;
  rope_yarn yarn;
  /// Cosines and sines are multiplied by this: attention is sharper or flatter
  /// by its square.
  float rope_magnitude = 1.f;
  rope_pairing pairing = rope_pairing::adjacent;
  /// Of local layers, whose positions are then neither scaled nor divided by
  /// the model's factors; 0: they are as the others.
  float local_rope_base = 0.f;

  // -- feed-forward -----------------------------------------------------------

  uint32_t ffn = 0; ///< width, in layers without experts
  gate_function gate = gate_function::silu;
  expert_hparams experts;

  // -- what follows from these ------------------------------------------------

  uint32_t values_of_head() const {
    return value_dim == 0 ? head_dim : value_dim;
  }
  float scale_of_scores() const {
    return attention_scale != 0.f
               ? attention_scale
               : 1.f / std::sqrt(static_cast<float>(head_dim));
  }
  uint32_t window_of(uint32_t layer) const {
    return windows.empty() ? 0 : windows[layer];
  }
  bool has_experts(uint32_t layer) const {
    return experts.count > 0 && layer >= experts.leading_dense;
  }
};

} // namespace troupe
