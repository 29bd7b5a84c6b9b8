#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kv/layout.hpp"
#include "core/tensor/kernels.hpp"

namespace troupe {

/// Blocks that attention takes in at a time. A span starts at a position that
/// is a multiple of its tokens, whatever a step computes.
inline constexpr uint32_t span_blocks = 4;
inline constexpr uint32_t span_tokens = span_blocks * kv_block_tokens;

/// Keys and values of one head, of up to span_blocks consecutive blocks.
struct kv_span {
  kv_dtype type = kv_dtype::f32;
  /// [k_dim, 16]: a key is a column.
  const std::byte* keys[span_blocks] = {};
  /// [16, v_width]: a value is a row.
  const std::byte* values[span_blocks] = {};
  /// [16] factors of each block's keys and values. Null, or given for every
  /// block.
  const float* key_scales[span_blocks] = {};
  const float* value_scales[span_blocks] = {};
  /// Keys and values that are likely to be taken in next: they are fetched
  /// into the cache meanwhile. Given for every block if the type is not f32.
  const std::byte* next_keys[span_blocks] = {};
  const std::byte* next_values[span_blocks] = {};
};

/// The tokens of a span that a query sees: [begin, end).
struct token_range {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// Softmax attention under way for some query vectors: their weighted sum of
/// values so far, relative to the largest score so far (Milakov and
/// Gimelshein, "Online normalizer calculation for softmax", 2018).
struct attention_state {
  uint32_t queries = 0;
  uint32_t k_dim = 0;
  uint32_t v_width = 0;     ///< of the sums, a multiple of 16
  size_t v_stride = 0;      ///< from one value to the next, at least v_width
  float softcap = 0;        ///< not 0: scores become cap * tanh(score / cap)
  const float* q = nullptr; ///< [queries, k_dim], scaled
  float* sum = nullptr;     ///< [queries, v_width]
  float* largest = nullptr; ///< [queries]
  float* weight = nullptr;  ///< [queries, 16]: the softmax's denominator is
                            ///< the sum of the 16
};

/// The loops of attention, in a form for each instruction set. All forms give
/// the same bits: attend_impl.hpp spells out the order of every sum.
struct attend_kernels {
  /// Takes in a span of tokens. Query i sees those of seen[i]; the others do
  /// not influence it.
  void (*attend)(const attention_state& s, const kv_span& span,
                 const token_range* seen);

  /// `n` stored numbers as floats, without their scales. n % 16 == 0.
  void (*expand)(kv_dtype t, const std::byte* in, size_t n, float* out);

  /// `in`: [16, dim] with rows `stride` apart to `out`: [dim, 16].
  void (*transpose)(const float* in, size_t stride, uint32_t dim, float* out);
};

/// The form for the instructions that `like` uses.
const attend_kernels& attend_kernels_like(const kernels& like);

} // namespace troupe
