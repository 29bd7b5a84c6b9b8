#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/hparams.hpp"

namespace troupe {

/// Whether a model of an architecture has a tensor.
enum class presence : uint8_t { never, maybe, always };

/// What tells one architecture of GGUF files from another, as data. They
/// share the rest: pre-norm layers of RMS norms, rotary positions, causal
/// attention and gated feed-forwards, under the same tensor names.
struct architecture {
  /// Of `general.architecture`; also the prefix of its metadata keys.
  std::string_view name;
  rope_pairing pairing = rope_pairing::adjacent;
  /// blk.N.attn_q.bias and those of K and V, all three or none.
  presence qkv_bias = presence::never;
  /// blk.N.attn_q_norm.weight and attn_k_norm.weight: RMS norms of each head of
  /// Q and K before they are rotated.
  presence qk_norm = presence::never;
  /// blk.N.attn_qkv.weight holds the rows of Q, then K, then V; ffn_up.weight
  /// those of the gate, then of what it gates.
  bool fused = false;
  /// Multi-head latent attention.
  bool latent = false;
  /// expert_count may be given; then whether the weights of a token's experts
  /// are normalised if the file doesn't say.
  bool experts = false;
  bool normalised_experts = false;
  /// blk.N.post_attention_norm.weight and post_ffw_norm.weight.
  bool post_norms = false;
  gate_function gate = gate_function::silu;
  /// The embedding is multiplied by the square root of the width.
  bool scaled_embedding = false;
  /// Models of so many layers divide scores by the square root of width /
  /// heads rather than of the size of a head; no key says so.
  uint32_t layers_scaled_by_width = 0;
  /// Where the file doesn't say; 0: none.
  uint32_t window = 0;
  /// Every so many layers the last one has no window; 1: all have it.
  uint32_t window_period = 1;
  float local_rope_base = 0.f;   ///< of layers with a window; 0: as others
  float attention_softcap = 0.f; ///< where the file doesn't say
  float logit_softcap = 0.f;
};

/// Null for one that this build does not implement.
const architecture* find_architecture(std::string_view name);

/// The names of all, for messages: "llama, qwen2".
std::string known_architectures();

} // namespace troupe
