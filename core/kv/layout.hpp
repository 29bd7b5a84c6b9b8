#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe {

enum class kv_dtype : uint8_t { f32 = 0, f16 = 1 };

inline uint32_t value_bytes(kv_dtype t) {
  return t == kv_dtype::f32 ? 4 : 2;
}

/// Tokens a KV block holds.
inline constexpr uint32_t kv_block_tokens = 16;

/// The shape of one KV block: for each layer the keys
/// [kv_heads][kv_block_tokens][k_dim], then the values
/// [kv_heads][kv_block_tokens][v_dim]; so a layer of a block is one contiguous
/// range of bytes.
///
/// Multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024) stores no
/// values: there v_dim is 0, and they are the first dimensions of the keys.
struct kv_layout {
  uint32_t layers = 0;
  uint32_t kv_heads = 0;
  uint32_t k_dim = 0;
  uint32_t v_dim = 0;
  kv_dtype dtype = kv_dtype::f16;

  /// Bytes of the keys of one head in one block.
  size_t k_bytes() const { return head_bytes(k_dim); }
  size_t v_bytes() const { return head_bytes(v_dim); }
  /// Bytes of K and V of one layer in one block.
  size_t layer_bytes() const { return kv_heads * (k_bytes() + v_bytes()); }
  size_t block_bytes() const { return layers * layer_bytes(); }
  size_t k_offset(uint32_t layer, uint32_t head) const {
    return layer * layer_bytes() + head * k_bytes();
  }
  size_t v_offset(uint32_t layer, uint32_t head) const {
    return layer * layer_bytes() + kv_heads * k_bytes() + head * v_bytes();
  }
  /// Blocks that hold `tokens` tokens.
  static uint32_t blocks_for(uint32_t tokens) {
    return (tokens + kv_block_tokens - 1) / kv_block_tokens;
  }

  friend bool operator==(const kv_layout&, const kv_layout&) = default;

private:
  size_t head_bytes(uint32_t dim) const {
    return size_t{kv_block_tokens} * dim * value_bytes(dtype);
  }
};

} // namespace troupe
