#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe {

/// How keys and values are stored. i8: as integers within +-127, with a float32
/// factor for each token's key and value of each head.
enum class kv_dtype : uint8_t { f32 = 0, f16 = 1, i8 = 2 };

inline uint32_t value_bytes(kv_dtype t) {
  return t == kv_dtype::f32 ? 4 : t == kv_dtype::f16 ? 2 : 1;
}

/// Tokens a KV block holds.
inline constexpr uint32_t kv_block_tokens = 16;

/// The shape of one KV block. A layer of it is one contiguous range of bytes:
/// the keys of each head, then the values of each head.
///
/// The keys of a head lie as [k_dim][kv_block_tokens], so that a dimension of
/// all tokens is one vector register; the values as [kv_block_tokens][v_dim],
/// a row padded to a multiple of 16. Behind either lie its factors,
/// float32 [kv_block_tokens], if the type is i8. What no token wrote is zero.
///
/// Multi-head latent attention (DeepSeek-AI, "DeepSeek-V2", 2024) stores no
/// values: there v_dim is 0, the values are the first dimensions of the keys,
/// and the keys lie as values do elsewhere.
struct kv_layout {
  uint32_t layers = 0;
  uint32_t kv_heads = 0;
  uint32_t k_dim = 0;
  uint32_t v_dim = 0;
  kv_dtype dtype = kv_dtype::f16;

  bool has_values() const { return v_dim > 0; }
  /// Numbers of a key and of a value, with padding.
  size_t k_width() const { return has_values() ? k_dim : padded(k_dim); }
  size_t v_width() const { return padded(v_dim); }
  /// Bytes of the keys of one head in one block.
  size_t k_bytes() const { return number_bytes(k_width()) + factor_bytes(); }
  size_t v_bytes() const {
    return has_values() ? number_bytes(v_width()) + factor_bytes() : 0;
  }
  /// Where the factors lie in that; i8 only.
  size_t k_factors() const { return number_bytes(k_width()); }
  size_t v_factors() const { return number_bytes(v_width()); }
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
  static size_t padded(uint32_t dim) { return (size_t{dim} + 15) / 16 * 16; }

  friend bool operator==(const kv_layout&, const kv_layout&) = default;

private:
  size_t number_bytes(size_t width) const {
    return kv_block_tokens * width * value_bytes(dtype);
  }
  size_t factor_bytes() const {
    return dtype == kv_dtype::i8 ? kv_block_tokens * sizeof(float) : 0;
  }
};

} // namespace troupe
