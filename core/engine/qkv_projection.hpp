#pragma once

#include "core/engine/rotation.hpp"
#include "core/engine/step.hpp"
#include "core/model/model.hpp"

namespace troupe {

/// Queries, keys and values of a step's rows, as grouped attention has them.
class qkv_projection {
public:
  qkv_projection(const model& m, uint32_t max_tokens);

  void plan(compute& c, const step_rows& rows);

  /// Of x: [tokens, hidden]; normalised and turned.
  void run(compute& c, const layer_weights& w, const float* x, bool local);

  row_buffer q; ///< [heads][head_dim]
  row_buffer k; ///< [kv_heads][head_dim]
  row_buffer v; ///< [kv_heads][values_of_head]

private:
  void place(float* head, uint32_t n, const std::vector<float>& norm,
             uint32_t row, bool local) const;

  const hparams& p_;
  rotation rope_;
  uint32_t tokens_ = 0;
};

} // namespace troupe
