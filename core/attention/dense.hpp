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

/// What differs between models, and between the layers of some.
struct attention_options {
  /// Of the scores; 0: 1 / sqrt(k_dim).
  float scale = 0;
  /// A token at position p sees those at (p - window, p]; 0: all up to p.
  uint32_t window = 0;
  /// Scaled scores become softcap * tanh(score / softcap); 0: they stay.
  float softcap = 0;
  /// Where the layout has no values: how many of a key's first dimensions are
  /// its value. REQUIRES: 0 < value_dim <= k_dim there.
  uint32_t value_dim = 0;
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
                               uint32_t k_dim, uint32_t value_dim);

  /// Fixes the step's rows; they hold for all its layers.
  /// The queries are those of the first `kv_heads` KV heads, 0: of all.
  /// REQUIRES: kv_heads divides heads; the tables have memory for the new
  /// tokens, and stay as they are until the last layer.
  void plan(std::span<const attention_rows> rows, const kv_layout& layout,
            uint32_t kv_heads = 0);

  /// Stores new keys, [tokens, kv_heads * k_dim], and values, [tokens,
  /// kv_heads * v_dim], in the pages, rounded to the layout's type. `v` is not
  /// read if the layout has no values.
  void write(compute& c, uint32_t layer, const float* k, const float* v);

  /// q: [tokens, heads * k_dim]; out: [tokens, heads * v_dim], or value_dim
  /// where the layout has no values. The new tokens' KV must be written.
  void attend(compute& c, uint32_t layer, const float* q, float* out,
              const attention_options& options = {});

private:
  /// Some new tokens of a sequence whose queries are computed together.
  struct tile {
    const page_table* table;
    uint32_t position;
    uint32_t tokens;
    uint32_t row;
  };

  struct task;
  void attend_tile(compute& c, const task& t) const;

  uint32_t heads_;
  uint32_t kv_heads_ = 0; ///< that queries are of
  kv_layout layout_;
  std::vector<tile> tiles_;
};

} // namespace troupe
