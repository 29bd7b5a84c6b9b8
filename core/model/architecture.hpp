#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/hparams.hpp"

namespace troupe {

/// Whether a model of an architecture has a tensor.
enum class presence : uint8_t { never, maybe, always };

/// What tells one architecture of GGUF files from another, as data. They
/// share the rest: pre-norm layers of RMS norms, rotary positions, grouped
/// attention and a gated feed-forward, under the same tensor names.
struct architecture {
  /// Of `general.architecture`; also the prefix of its metadata keys.
  std::string_view name;
  rope_pairing pairing;
  /// blk.N.attn_q.bias and those of K and V, all three or none.
  presence qkv_bias;
  /// blk.N.attn_q_norm.weight and attn_k_norm.weight: RMS norms of each head of
  /// Q and K before they are rotated.
  presence qk_norm;
  /// blk.N.attn_qkv.weight holds the rows of Q, then K, then V; ffn_up.weight
  /// those of the gate, then of what it gates.
  bool fused;
};

/// Null for one that this build does not implement.
const architecture* find_architecture(std::string_view name);

/// The names of all, for messages: "llama, qwen2".
std::string known_architectures();

} // namespace troupe
