#pragma once

#include <span>
#include <vector>

#include "core/kv/layout.hpp"
#include "core/kv/page_table.hpp"
#include "core/tensor/kernels.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

/// New tokens of one sequence in a step.
struct attention_row {
  const page_table* table = nullptr;
  uint32_t first_row = 0; ///< of the step's activations
  uint32_t count = 0;     ///< tokens, at positions table->length() …
};

/// Softmax attention of each token over all tokens before it and itself
/// (Vaswani et al., "Attention Is All You Need", 2017), over paged KV with
/// grouped-query heads (Ainslie et al., "GQA", 2023). Keeps scratch alone.
class dense_attention {
public:
  explicit dense_attention(const kernels& with) : with_(with) {}

  /// Stores K and V of the rows' tokens in their pages.
  /// k, v: [tokens, kv_heads * head_dim], rows `stride` apart.
  void write(thread_pool& threads, std::span<const attention_row> rows,
             const kv_layout& layout, uint32_t layer, const float* k,
             const float* v, size_t stride);

  /// q: [tokens, heads * head_dim], rows `stride` apart; out: [tokens, heads *
  /// head_dim]. REQUIRES: `write` of this layer came before.
  void attend(thread_pool& threads, std::span<const attention_row> rows,
              const kv_layout& layout, uint32_t layer, uint32_t heads,
              const float* q, size_t stride, float* out);

private:
  // Some tokens of one sequence and all heads that share a KV head.
  struct task {
    uint32_t row;
    uint32_t first; ///< token within the row
    uint32_t count;
    uint32_t kv_head;
  };

  const kernels& with_;
  std::vector<task> tasks_;
  std::vector<const std::byte*> blocks_; ///< of all rows, one after another
  std::vector<size_t> first_block_;      ///< by row
};

} // namespace troupe
