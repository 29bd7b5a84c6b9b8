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

/// The shape of one KV block: [layers][K, V][kv_heads][kv_block_tokens][dim],
/// so that a layer of a block is one contiguous range of bytes.
struct kv_layout {
  uint32_t layers = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0; ///< of K and of V alike
  kv_dtype dtype = kv_dtype::f16;

  /// Bytes of K (or of V) of one head in one block.
  size_t head_bytes() const {
    return size_t{kv_block_tokens} * head_dim * value_bytes(dtype);
  }
  /// Bytes of K and V of one layer in one block.
  size_t layer_bytes() const { return 2 * kv_heads * head_bytes(); }
  size_t block_bytes() const { return layers * layer_bytes(); }
  size_t k_offset(uint32_t layer, uint32_t head) const {
    return layer * layer_bytes() + head * head_bytes();
  }
  size_t v_offset(uint32_t layer, uint32_t head) const {
    return k_offset(layer, head) + kv_heads * head_bytes();
  }
  /// Blocks that hold `tokens` tokens.
  static uint32_t blocks_for(uint32_t tokens) {
    return (tokens + kv_block_tokens - 1) / kv_block_tokens;
  }

  friend bool operator==(const kv_layout&, const kv_layout&) = default;
};

} // namespace troupe
