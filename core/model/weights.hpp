#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// A gated feed-forward of some width.
struct ffn_weights {
  matrix_view gate; ///< [width, hidden]
  matrix_view up;   ///< [width, hidden]
  matrix_view down; ///< [hidden, width]
};

/// One transformer layer. Matrices are [outputs, inputs]; q = heads * head_dim,
/// kv = kv_heads * head_dim. What the model lacks is empty.
struct layer_weights {
  std::vector<float> attn_norm; ///< [hidden]
  matrix_view wq;               ///< [q, hidden]; [q, q_rank] after wq_a
  matrix_view wk;               ///< [kv, hidden]
  matrix_view wv;               ///< [kv_heads * value_dim, hidden]
  matrix_view wo;               ///< [hidden, heads * value_dim]
  std::vector<float> bq;        ///< [q]
  std::vector<float> bk;        ///< [kv]
  std::vector<float> bv;        ///< [kv_heads * value_dim]
  std::vector<float> q_norm;    ///< [head_dim]: of each head
  std::vector<float> k_norm;    ///< [head_dim]
  /// [hidden]: of what attention adds to the residual stream.
  std::vector<float> attn_post_norm;

  // Multi-head latent attention, in place of wk and wv.
  matrix_view wq_a;              ///< [q_rank, hidden], empty if q_rank is 0
  std::vector<float> q_a_norm;   ///< [q_rank]
  matrix_view wkv_a;             ///< [kv_rank + rope_dim, hidden]
  std::vector<float> kv_a_norm;  ///< [kv_rank]
  std::vector<matrix_view> wk_b; ///< [heads] of [kv_rank, head_dim - rope_dim]
  std::vector<matrix_view> wv_b; ///< [heads] of [value_dim, kv_rank]

  std::vector<float> ffn_norm; ///< [hidden]
  /// In a layer with experts those that all tokens use, as one; or empty.
  matrix_view gate; ///< [ffn, hidden]
  matrix_view up;   ///< [ffn, hidden]
  matrix_view down; ///< [hidden, ffn]
  /// [hidden]: of what the feed-forward adds to the residual stream.
  std::vector<float> ffn_post_norm;

  matrix_view router;             ///< [experts, hidden]
  std::vector<float> router_bias; ///< [experts]: added to scores to choose by
  std::vector<ffn_weights> experts;
};

/// Views into the mapped model file; norms and biases are copied.
struct model_weights {
  matrix_view embedding; ///< [vocab, hidden]
  /// Whose embedding and logit come first; not 0 where a rank holds those of
  /// some tokens only.
  uint32_t first_token = 0;
  std::vector<layer_weights> layers;
  std::vector<float> output_norm; ///< [hidden]
  matrix_view output; ///< [vocab, hidden]; the embedding where they are tied
  /// [rope_dim / 2], divides each pair's frequency: what the file gives (as for
  /// Llama 3.1) times what YaRN makes of it; or empty.
  std::vector<float> rope_factors;
  /// Keeps alive what views point to that the file does not hold.
  std::vector<std::shared_ptr<const std::vector<std::byte>>> made;
};

} // namespace troupe
