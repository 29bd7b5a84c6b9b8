#pragma once

#include <vector>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// One transformer layer. Matrices are [outputs, inputs]; q = heads * head_dim,
/// kv = kv_heads * head_dim. A bias that the model lacks is empty.
struct layer_weights {
  std::vector<float> attn_norm; ///< [hidden]
  matrix_view wq;               ///< [q, hidden]
  matrix_view wk;               ///< [kv, hidden]
  matrix_view wv;               ///< [kv, hidden]
  matrix_view wo;               ///< [hidden, q]
  std::vector<float> bq;        ///< [q] or empty
  std::vector<float> bk;        ///< [kv] or empty
  std::vector<float> bv;        ///< [kv] or empty
  std::vector<float> q_norm;    ///< [head_dim] or empty: of each head
  std::vector<float> k_norm;    ///< [head_dim] or empty
  std::vector<float> ffn_norm;  ///< [hidden]
  matrix_view gate;             ///< [ffn, hidden]
  matrix_view up;               ///< [ffn, hidden]
  matrix_view down;             ///< [hidden, ffn]
};

/// Views into the mapped model file; norms and biases are copied.
struct model_weights {
  matrix_view embedding; ///< [vocab, hidden]
  std::vector<layer_weights> layers;
  std::vector<float> output_norm; ///< [hidden]
  matrix_view output; ///< [vocab, hidden]; the embedding where they are tied
  /// [rope_dim / 2], divides each pair's frequency: what the file gives (as for
  /// Llama 3.1) times what YaRN makes of it; or empty.
  std::vector<float> rope_factors;
};

} // namespace troupe
