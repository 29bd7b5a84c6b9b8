#pragma once

#include <optional>
#include <span>

#include "core/engine/step.hpp"
#include "core/model/hparams.hpp"
#include "core/tensor/rope.hpp"

namespace troupe {

/// The angles by which a step's positions turn heads, in layers that see
/// everything and in local ones.
class rotation {
public:
  /// `factors`: as model_weights::rope_factors.
  rotation(const hparams& p, std::span<const float> factors,
           uint32_t max_tokens);

  void plan(compute& c, std::span<const uint32_t> positions);

  /// Turns the rope_dim values at `head` by the position of `row`.
  void turn(float* head, uint32_t row, bool local) const {
    auto& angles = local && local_ ? *local_ : everywhere_;
    turn_(head, angles.of.pairs(), angles.cos_sin.row(row));
  }

private:
  struct table {
    rope_angles of;
    row_buffer cos_sin; ///< [max_tokens, rope_dim]
  };

  table everywhere_;
  std::optional<table> local_; ///< if they differ
  void (*turn_)(float*, uint32_t, const float*);
};

} // namespace troupe
