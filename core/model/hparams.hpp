#pragma once

#include <cstdint>
#include <string>

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

/// What an architecture is, as numbers. The engine reads these and never the
/// architecture's name.
struct hparams {
  std::string architecture;
  std::string name;
  uint32_t vocab = 0;
  uint32_t context = 0; ///< tokens the model was trained for
  uint32_t hidden = 0;  ///< width of the residual stream
  uint32_t layers = 0;
  uint32_t heads = 0;    ///< query heads
  uint32_t kv_heads = 0; ///< divides `heads` (grouped-query attention)
  uint32_t head_dim = 0; ///< of Q, K and V alike; even
  uint32_t ffn = 0;      ///< width of the feed-forward layer
  uint32_t rope_dim = 0; ///< leading values of a head that are rotated
  float rope_base = 10000.f;
  /// Positions are multiplied by this (linear scaling).
  float rope_scale = 1.f;
  rope_yarn yarn;
  /// Cosines and sines are multiplied by this: attention is sharper or flatter
  /// by its square.
  float rope_magnitude = 1.f;
  float norm_eps = 1e-5f;
  rope_pairing pairing = rope_pairing::adjacent;
};

} // namespace troupe
