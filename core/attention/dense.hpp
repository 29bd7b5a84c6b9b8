#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/kv/layout.hpp"
#include "core/kv/page_table.hpp"
#include "core/tensor/compute.hpp"

namespace troupe {

/// New tokens of one sequence in a step.
struct attention_rows {
  const page_table* table = nullptr;
  uint32_t position = 0; ///< of the first new token
  uint32_t tokens = 0;   ///< how many
  uint32_t row = 0;      ///< of the first one in the step's matrices
};

/// Causal softmax attention of new tokens over their own sequence's pages,
/// with grouped queries (Ainslie et al., "GQA", 2023): a KV head is read once
/// for the query heads that share it. A token's result depends on its query
/// and on the KV of the tokens up to it, bit for bit: not on which other
/// tokens are computed with it.
class dense_attention {
public:
  /// For `heads` query heads. Steps of up to `max_tokens` new tokens allocate
  /// nothing.
  dense_attention(uint32_t heads, uint32_t max_tokens);

  /// Scratch that attend and write need.
  static size_t scratch_floats(uint32_t heads, uint32_t kv_heads,
                               uint32_t head_dim);

  /// Fixes the step's rows; they hold for all its layers.
  /// REQUIRES: layout.kv_heads divides heads; the tables have memory for the
  /// new tokens, and stay as they are until the last layer.
  void plan(std::span<const attention_rows> rows, const kv_layout& layout);

  /// Stores new keys and values, [tokens, kv_heads * head_dim] each, in the
  /// pages, rounded to the layout's type.
  void write(compute& c, uint32_t layer, const float* k, const float* v);

  /// q, out: [tokens, heads * head_dim]. The new tokens' KV must be written.
  void attend(compute& c, uint32_t layer, const float* q, float* out);

private:
  /// Some new tokens of a sequence whose queries are computed together.
  struct tile {
    const page_table* table;
    uint32_t position;
    uint32_t tokens;
    uint32_t row;
  };

  void attend_tile(compute& c, unsigned worker, uint32_t layer, const tile& t,
                   uint32_t kv_head, const float* q, float* out) const;

  uint32_t heads_;
  kv_layout layout_;
  std::vector<tile> tiles_;
};

} // namespace troupe
