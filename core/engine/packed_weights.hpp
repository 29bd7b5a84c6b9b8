#pragma once

#include <deque>
#include <memory>

#include "core/model/model.hpp"
#include "core/tensor/pack.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

/// The weights of a model with its quantised matrices packed, and those of bf16
/// where this processor multiplies bf16; the others are those of the model, and
/// so are a router's and those of single heads, which are small and meet
/// activations that are not rounded. All engines of a process that want a
/// model's packed weights share them, as they share the model.
class packed_weights {
public:
  /// Packs matrix by matrix, on all threads, and lets go of the memory that a
  /// matrix had from the model's file once it is packed. If another engine has
  /// the model packed already, that is what comes back; if one is at it, this
  /// waits.
  static std::shared_ptr<const packed_weights>
  of(const std::shared_ptr<const model>& m, thread_pool& pool);

  const model_weights& w() const { return w_; }

  /// Bytes of packed matrices.
  size_t bytes() const;

private:
  explicit packed_weights(std::shared_ptr<const model> m);

  void pack(matrix_view& w, thread_pool& pool);

  std::shared_ptr<const model> model_;
  model_weights w_;
  std::deque<packed_matrix> packed_; // never moves an element
};

} // namespace troupe
