#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// One query head's worth of attention over one sequence's KV blocks.
struct attention_query {
  const float* q = nullptr; ///< [dim]
  float* out = nullptr;     ///< [dim]
  /// Tokens it looks at: those at positions 0 … tokens - 1.
  uint32_t tokens = 0;
};

/// Queries that look at the same KV head of the same sequence.
struct attention_task {
  const attention_query* queries = nullptr;
  uint32_t count = 0; ///< at most max_attention_queries
  /// Starts of the sequence's KV blocks, at least blocks_for(tokens).
  const std::byte* const* blocks = nullptr;
  size_t k_offset = 0; ///< of this layer's and head's K in a block
  size_t v_offset = 0;
  uint32_t dim = 0; ///< at most max_attention_dim
  bool f16 = false; ///< how KV is stored; else float32
  float scale = 1.f;
};

inline constexpr uint32_t max_attention_queries = 64;
inline constexpr uint32_t max_attention_dim = 512;

/// The inner loops, once per instruction set. All sets compute the same
/// operations in the same order, with multiply-adds fused: they agree bit for
/// bit. Sums over k run in 16 lanes (lane l takes k = l, l + 16, …), which are
/// then added in a fixed tree; what is missing in the last 16 counts as zero.
struct kernels {
  const char* name;

  /// Decodes `k` values of a row; as `dequantize_row`.
  void (*expand)(dtype t, const std::byte* row, uint32_t k, float* out);

  /// y[i * ldy + j] = dot(x + i * ldx, w_j), i < m, j < n, over k values; w_j
  /// is the encoded row at w + j * w_stride.
  /// Decodes each row anew for every few of m: for small m.
  void (*product_few)(dtype t, const std::byte* w, size_t w_stride, uint32_t n,
                      uint32_t k, const float* x, size_t ldx, uint32_t m,
                      float* y, size_t ldy);

  /// The same from decoded rows: w_j at w + j * ldw.
  void (*product)(const float* w, size_t ldw, uint32_t n, uint32_t k,
                  const float* x, size_t ldx, uint32_t m, float* y, size_t ldy);

  /// out = x / rms(x) * weight over n values (Zhang and Sennrich, "Root Mean
  /// Square Layer Normalization", 2019); rms(x)² = mean(x²) + eps.
  void (*rms_norm)(const float* x, const float* weight, uint32_t n, float eps,
                   float* out);

  /// gate = silu(gate) * up over n values (Shazeer, "GLU Variants Improve
  /// Transformer", 2020); silu(x) = x / (1 + exp(-x)).
  void (*swiglu)(float* gate, const float* up, uint32_t n);

  /// Causal attention, block by block with a running maximum (Milakov and
  /// Gimelshein, "Online normalizer calculation for softmax", 2018). What a
  /// query yields does not depend on the task's other queries.
  void (*attend)(const attention_task& task);

  /// out[i] = exp(x[i]), within 2 ulp; 0 below -87.3, finite above 88.7.
  void (*exp)(const float* x, uint32_t n, float* out);

  /// float32 to float16, to nearest even.
  void (*to_f16)(const float* x, uint32_t n, uint16_t* out);
};

/// The best set this processor has.
const kernels& best_kernels();

/// "avx512", "avx2" or "portable"; null if there is none or the processor
/// lacks it. For tests that compare them.
const kernels* find_kernels(const char* name);

} // namespace troupe
